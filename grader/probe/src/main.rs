//! The probe's program: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no runtime: {error}")),
    };
    let input = std::io::BufReader::new(std::io::stdin());
    let result = runtime.block_on(grader_probe::serve::run(input, std::io::stdout()));
    let _ = result;
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("grader-probe: {message}");
    ExitCode::from(2)
}
