//! The `grader` binary.

fn main() -> std::process::ExitCode {
    grader::cli::main()
}
