//! Bad input: a French message that says what, where and what to do; a documented exit code;
//! nothing left behind; never a zero when the fault is not the student's.

use tp_tests::{Ended, Submission, command, ours, run};

const LAB2: &str = "02-deploiement";

fn says(ended: &Ended, code: i32, words: &[&str]) {
    let text = format!("{}{}", ended.out, ended.err);
    assert_eq!(ended.code, code, "{text}");
    for word in words {
        assert!(text.contains(word), "« {word} » is not said:\n{text}");
    }
    assert_eq!(ours(), [0; 4], "something is left");
}

#[test]
fn compose_file_missing() {
    says(&Submission::empty().check("02", &[]), 1, &["compose.yaml"]);
}

#[test]
fn compose_file_invalid() {
    let copy = Submission::solution(LAB2).with("compose.yaml", "services:\n  api:\n    image: [\n");
    says(&copy.check("02", &[]), 1, &["compose.yaml:"]);
}

#[test]
fn two_candidate_files_are_told_and_compose_s_choice_is_graded() {
    let copy = Submission::solution("01-reseaux").with("docker-compose.yml", "services: {}\n");
    says(&copy.check("01", &[]), 0, &["docker-compose.yml", "20"]);
}

#[test]
fn build_context_missing() {
    let copy = Submission::solution(LAB2).edit("compose.yaml", "build: ./app", "build: ./appli");
    says(&copy.check("02", &[]), 1, &["appli"]);
}

#[test]
fn lock_file_missing() {
    let copy = Submission::solution(LAB2).without("app/package-lock.json");
    says(&copy.check("02", &[]), 1, &["package-lock"]);
}

#[test]
fn unknown_service_names() {
    let copy = Submission::solution("01-reseaux").edit("compose.yaml", "  serveur:", "  server:");
    says(&copy.check("01", &[]), 1, &["serveur", "server"]);
}

#[test]
fn an_image_that_cannot_be_had_is_never_a_zero() {
    let copy = Submission::solution(LAB2).edit(
        "compose.yaml",
        "redis:7-alpine",
        "redis:7-nexistepas-chez-nous.invalid/x",
    );
    let ended = copy.check("02", &[]);
    assert!(ended.code == 1 || ended.code == 4, "{}{}", ended.out, ended.err);
    let copy = Submission::solution(LAB2).edit("compose.yaml", "redis:7-alpine", "quelquun/image-inconnue:1");
    says(&copy.check("02", &["--offline"]), 4, &["quelquun/image-inconnue:1", "non noté"]);
}

#[test]
fn a_build_that_fails_says_where() {
    let copy = Submission::solution(LAB2).edit("app/Dockerfile", "npm ci", "npm cii");
    says(&copy.check("02", &[]), 1, &["Dockerfile"]);
}

#[test]
fn a_container_that_exits_at_once_says_why() {
    let copy =
        Submission::solution(LAB2).with("app/app.js", "console.error('plus de courant'); process.exit(3)\n");
    says(&copy.check("02", &[]), 1, &["plus de courant"]);
}

#[test]
fn a_host_port_that_is_taken_does_not_matter() {
    let _taken = std::net::TcpListener::bind("0.0.0.0:5001");
    says(&Submission::solution(LAB2).check("02", &[]), 0, &["20/20"]);
}

#[test]
fn no_engine() {
    let ended: Ended = command(&["check", "02", "-C", "labs/02-deploiement/solution"])
        .env("DOCKER_HOST", "unix:///nulle/part/docker.sock")
        .output()
        .map(Ended::from)
        .unwrap_or_else(|e| panic!("{e}"));
    says(&ended, 4, &["moteur"]);
}

#[test]
fn wrong_lab_id() {
    says(&run(&["check", "99", "-C", "labs"]), 2, &["99", "02-deploiement"]);
}

#[test]
fn unknown_command_and_option() {
    says(&run(&["chek"]), 2, &["commande inconnue"]);
    says(&run(&["check", "--format", "pdf"]), 2, &["pdf"]);
}

#[test]
fn refused_by_the_policy() {
    let copy = Submission::solution(LAB2).edit(
        "compose.yaml",
        "    image: redis:7-alpine\n",
        "    image: redis:7-alpine\n    privileged: true\n",
    );
    says(&copy.check("02", &[]), 3, &["refusé", "privileged", "compose.yaml:", "pourquoi", "à la place"]);
}
