//! The whole book, built and verified; and the rules of the preprocessor on small texts.

use std::path::{Path, PathBuf};

use super::{Edition, Material, Order, build, stage, verify};

fn order(edition: Edition, out: &Path) -> Order {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Order { labs: root.join("labs"), book: root.join("book"), edition, out: out.join("livre") }
}

#[test]
fn the_students_book_is_whole_and_keeps_its_secrets() {
    let dir = tempfile::tempdir().expect("a folder");
    let order = order(Edition::Student, dir.path());
    let built = build(&order).expect("the book builds");
    assert!(built.labs >= 2 && built.pages > built.labs);
    let found = verify(&order.out, &built).expect("the build is readable");
    assert!(
        found.is_empty(),
        "{}",
        found.iter().map(|f| format!("{} : {}\n", f.file, f.what)).collect::<String>()
    );
}

#[test]
fn the_teachers_book_has_the_solutions() {
    let dir = tempfile::tempdir().expect("a folder");
    let order = order(Edition::Teacher, dir.path());
    let built = build(&order).expect("the book builds");
    let page = std::fs::read_to_string(order.out.join("02-deploiement.html")).expect("the page");
    assert!(page.contains("service_healthy") && page.contains("id=\"corrige\""));
    let found = verify(&order.out, &built).expect("the build is readable");
    assert!(found.is_empty(), "{found:#?}");
    // The same material in the student's edition would be seen: the watch is not blind.
    let student =
        super::Built { material: Material { edition: Edition::Student, ..built.material.clone() }, ..built };
    let found = verify(&order.out, &student).expect("the build is readable");
    assert!(found.iter().any(|f| f.what.contains("service_healthy")), "{found:#?}");
}

#[test]
fn a_new_lab_needs_no_other_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut order = order(Edition::Student, dir.path());
    let labs = dir.path().join("labs");
    stage::copy(&order.labs.join("01-reseaux"), &labs.join("01-reseaux")).expect("copied");
    stage::copy(&order.labs.join("01-reseaux"), &labs.join("42-neuf")).expect("copied");
    let toml = labs.join("42-neuf").join("lab.toml");
    let text = std::fs::read_to_string(&toml).expect("read");
    let text = text.replace("id = \"01\"", "id = \"42\"").replace("01-reseaux", "42-neuf");
    std::fs::write(&toml, text.replace("Fondations : réseaux et noms", "Tout neuf")).expect("written");
    order.labs = labs;
    let material = Material::read(&order).expect("read");
    let summary = stage::complete("# S\n\n- [a](a.md)\n<!-- tp 01 -->\n<!-- tp -->\n", &material.labs)
        .expect("complete");
    assert!(summary.contains("- [TP 01 · Fondations : réseaux et noms](01-reseaux.md)"), "{summary}");
    assert!(summary.ends_with("- [TP 42 · Tout neuf](42-neuf.md)\n"), "{summary}");
}

#[test]
fn another_folder_is_never_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let order = order(Edition::Student, dir.path());
    std::fs::create_dir(&order.out).expect("made");
    std::fs::write(order.out.join("these.txt"), "three years of work").expect("written");
    assert!(build(&order).expect_err("refused").what.contains("--into"));
    assert!(order.out.join("these.txt").is_file());
}

fn chapter(text: &str) -> String {
    let order = order(Edition::Student, &PathBuf::from("/nulle-part"));
    let material = Material::read(&order).expect("the labs are readable");
    super::preprocess::Course::new(material).chapter("page", text).expect("valid")
}

#[test]
fn boxes_come_from_plain_markdown() {
    let html =
        chapter("> **⚠️ Piège — un `nom`,\n> deux porteurs.** Suite.\n>\n> ```bash\n> ls\n> ```\n\nAprès.\n");
    assert!(
        html.contains("boite-piege") && html.contains("Piège : un <code>nom</code>, deux porteurs</p>"),
        "{html}"
    );
    assert!(html.contains("\nSuite.\n\n```bash\nls\n```\n\n</div>"), "{html}");
    let html = chapter("> [!WARNING]\n> Texte.\n");
    assert!(html.contains("boite-piege") && html.contains(" Piège</p>\n\nTexte."), "{html}");
    assert_eq!(chapter("> Une citation, **Piège** compris.\n"), "> Une citation, **Piège** compris.\n");
}

#[test]
fn the_box_of_a_question_holds_its_answer() {
    let html = chapter(
        "❓ **Pourquoi ?**\n\n<details>\n<summary>R</summary>\n\nParce que.\n\n</details>\n\nAprès.\n",
    );
    let end = html.find("</div>").expect("closed");
    assert!(
        html.find("</details>").is_some_and(|d| d < end) && html.find("Après").is_some_and(|a| a > end),
        "{html}"
    );
    let html = chapter("❓ **Pourquoi ?**\n\n## Titre\n\n<details>\n</details>\n");
    assert!(html.find("</div>").expect("closed") < html.find("## Titre").expect("kept"), "{html}");
}

#[test]
fn a_solution_is_shown_to_no_student() {
    let order = order(Edition::Student, &PathBuf::from("/nulle-part"));
    let material = Material::read(&order).expect("the labs are readable");
    let course = super::preprocess::Course::new(material);
    let refused = course.chapter("page", "{{#file 02/solution/compose.yaml}}\n").expect_err("refused");
    assert!(refused.what.contains("solution"), "{refused}");
    assert!(course.chapter("page", "{{#file 02/starter/../solution/compose.yaml}}\n").is_err());
    assert!(
        course.chapter("page", "{{#file 01/starter/compose.yaml}}\n").is_ok_and(|t| t.contains("```yaml"))
    );
    let hidden = course.chapter("page", "a\n{{#teacher}}\n{{#file 02/solution/compose.yaml}}\n{{#end}}\nb\n");
    assert_eq!(hidden.as_deref(), Ok("a\nb\n"));
}
