//! Quizzes: a question, its choices, a word on each. Nothing is sent or kept.
//!
//! ```text
//! Deux conteneurs … ?
//! - un mauvais choix :: pourquoi il ne va pas
//! + le bon choix :: pourquoi il va
//! ```
//!
//! Several `+` make it a question with several answers.

use super::text::{escape, inline};

/// The HTML of a quiz, without blank line; `page` and `number` make its names unique in the book.
pub fn render(body: &str, page: &str, number: usize) -> Result<String, String> {
    let mut question = Vec::new();
    let mut choices: Vec<(bool, String, String)> = Vec::new();
    for line in body.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let right = match line.chars().next() {
            Some('+') => true,
            Some('-') => false,
            _ if choices.is_empty() => {
                question.push(line);
                continue;
            }
            _ => return Err(format!("quiz : « {line} » ne commence ni par + ni par -")),
        };
        let (choice, why) = line[1..]
            .split_once("::")
            .ok_or_else(|| format!("quiz : il manque « :: » et une explication dans « {line} »"))?;
        choices.push((right, choice.trim().to_owned(), why.trim().to_owned()));
    }
    let right = choices.iter().filter(|c| c.0).count();
    if question.is_empty() || right == 0 || choices.len() < 2 {
        return Err("quiz : il faut une question, deux choix au moins et une bonne réponse (+)".to_owned());
    }
    let name = format!("quiz-{}-{number}", escape(page));
    let kind = if right == 1 { "radio" } else { "checkbox" };
    let several =
        if right == 1 { "" } else { " <span class=\"quiz-plusieurs\">(plusieurs réponses)</span>" };
    let mut html = format!(
        "<fieldset class=\"quiz\"><legend><span class=\"quiz-mot\">Quiz</span> {}{several}</legend>",
        inline(&question.join(" "))
    );
    for (at, (right, choice, why)) in choices.iter().enumerate() {
        html.push_str(&format!(
            "<div class=\"quiz-choix\"><label><input type=\"{kind}\" name=\"{name}\" value=\"{at}\" \
             data-juste=\"{}\"> <span>{}</span></label><p class=\"quiz-retour\" hidden>{}</p></div>",
            if *right { "oui" } else { "non" },
            inline(choice),
            inline(why)
        ));
    }
    html.push_str(
        "<div class=\"quiz-pied\"><button type=\"button\" class=\"quiz-verifier\" hidden>Vérifier</button> ",
    );
    html.push_str("<span class=\"quiz-avis\" role=\"status\"></span></div>");
    html.push_str("<details class=\"quiz-solution\"><summary>Voir la réponse</summary><ul>");
    for (_, choice, why) in choices.iter().filter(|c| c.0) {
        html.push_str(&format!("<li>{} : {}</li>", inline(choice), inline(why)));
    }
    html.push_str("</ul></details></fieldset>");
    Ok(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_several_answers() {
        let one = render("Oui ?\n- non :: faux\n+ oui :: juste", "p", 1).expect("valid");
        assert!(one.contains("type=\"radio\"") && one.contains("name=\"quiz-p-1\"") && !one.contains('\n'));
        let many = render("Qui ?\n+ a :: 1\n+ b :: 2\n- c :: 3", "p", 2).expect("valid");
        assert!(many.contains("type=\"checkbox\"") && many.contains("plusieurs réponses"));
    }

    #[test]
    fn faults_are_told() {
        assert!(render("Oui ?\n- non :: faux", "p", 1).is_err());
        assert!(render("Oui ?\n- non\n+ oui :: juste", "p", 1).expect_err("no word").contains("::"));
    }
}
