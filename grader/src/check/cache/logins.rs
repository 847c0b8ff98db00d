//! Accounts of a Redis server that a submission shows, wherever a student may write them.

use std::collections::BTreeSet;

use super::super::world::{Instance, World};
use crate::error::Fault;

/// An account; without a name, the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// Name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
}

impl Login {
    fn of(user: Option<&str>, password: &str) -> Self {
        Self { user: user.map(str::to_owned), password: Some(password.to_owned()) }
    }
}

/// Most accounts that are tried.
const MOST: usize = 48;

/// Most files that are read.
const MOST_FILES: usize = 200;

/// The longest text that may be a password by itself, in characters.
const LONGEST: usize = 256;

/// What was found so far.
#[derive(Default)]
struct Found {
    passwords: BTreeSet<String>,
    users: BTreeSet<String>,
    pairs: BTreeSet<(String, String)>,
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c| matches!(c, '"' | '\'' | ',' | ';' | '`' | '[' | ']'))
}

impl Found {
    /// `redis://name:password@…`
    fn url(&mut self, text: &str) {
        let Some((_, rest)) = text.split_once("://") else { return };
        let Some((login, _)) = rest.split_once('@') else { return };
        let Some((user, password)) = login.split_once(':') else { return };
        if password.is_empty() {
            return;
        }
        self.passwords.insert(password.to_owned());
        if !user.is_empty() {
            self.pairs.insert((user.to_owned(), password.to_owned()));
        }
    }

    /// A command line or a configuration: `requirepass` and `user name on >password`.
    fn directives(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().map(bare).collect();
        let mut user: Option<&str> = None;
        for (i, word) in words.iter().enumerate() {
            let name = word.trim_start_matches('-');
            let next = words.get(i + 1).copied();
            if let Some(value) = name.strip_prefix("requirepass=") {
                self.passwords.insert(value.to_owned());
            } else if name.eq_ignore_ascii_case("requirepass") {
                self.passwords.extend(next.map(str::to_owned));
            } else if name.eq_ignore_ascii_case("user") || name.eq_ignore_ascii_case("setuser") {
                user = next;
            } else if let (Some(user), Some(password)) = (user, word.strip_prefix('>')) {
                self.pairs.insert((user.to_owned(), password.to_owned()));
            }
            self.url(word);
        }
    }

    fn env(&mut self, name: &str, value: &str) {
        let name = name.to_uppercase();
        if value.is_empty() || name.ends_with("_FILE") {
            return;
        }
        if name.contains("PASS") || name.contains("AUTH") {
            self.passwords.insert(value.to_owned());
        }
        if name.contains("USER") {
            self.users.insert(value.to_owned());
        }
        self.directives(value);
    }

    /// The default account first, then those that have a name.
    fn logins(self) -> Vec<Login> {
        let fine = |text: &&String| !text.is_empty() && !text.starts_with('$');
        let passwords: Vec<&String> = self.passwords.iter().filter(fine).collect();
        let mut found = vec![Login::default()];
        found.extend(passwords.iter().map(|p| Login::of(None, p)));
        let pairs = self.pairs.iter().filter(|(user, password)| fine(&user) && fine(&password));
        found.extend(pairs.map(|(user, password)| Login::of(Some(user), password)));
        for user in self.users.iter().chain(self.pairs.iter().map(|(user, _)| user)).filter(fine) {
            for password in &passwords {
                let login = Login::of(Some(user), password);
                if !found.contains(&login) {
                    found.push(login);
                }
            }
        }
        found.truncate(MOST);
        found
    }
}

/// Accounts shown by the command lines and the environments of all services, then by these texts.
pub fn logins(instances: &[Instance], texts: &[String]) -> Vec<Login> {
    let mut found = Found::default();
    for instance in instances {
        found.directives(&instance.command.join(" "));
        for (name, value) in &instance.env {
            found.env(name, value);
        }
    }
    for text in texts {
        let alone = text.trim();
        if !alone.is_empty() && alone.chars().count() <= LONGEST && alone.lines().count() == 1 {
            found.passwords.insert(alone.to_owned());
        }
        found.directives(text);
    }
    found.logins()
}

/// Texts in which a password may be: the secrets of the server and its configuration as they are in its
/// container, then the files that were handed in.
pub async fn texts(world: &dyn World, server: &Instance) -> Result<Vec<String>, Fault> {
    let service = &server.service;
    let secrets = world.list_inside(service, "/run/secrets").await?.unwrap_or_default();
    let mut paths: Vec<String> = secrets.iter().map(|name| format!("/run/secrets/{name}")).collect();
    let joined = server.command.join(" ");
    let named = joined.split_whitespace().map(bare).filter(|w| w.starts_with('/') && w.contains('.'));
    paths.extend(named.map(str::to_owned));
    paths.truncate(MOST);
    let mut found = Vec::new();
    for path in &paths {
        found.extend(world.read_inside(service, path).await?);
    }
    let files = world.files();
    let wanted = files.iter().filter(|file| !file.contains("node_modules/")).take(MOST_FILES);
    found.extend(wanted.filter_map(|file| world.read(file)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing;

    #[test]
    fn passwords_are_found_where_students_put_them() {
        let mut redis = testing::instance("redis", "10.0.0.3");
        redis.command = vec!["sh".into(), "-c".into(), "redis-server --requirepass 'secret1'".into()];
        let mut api = testing::instance("api", "10.0.0.4");
        api.env.insert("REDIS_URL".into(), "redis://lecteur:parurl@redis:6379/0".into());
        api.env.insert("REDIS_PASSWORD".into(), "parenv".into());
        api.env.insert("DB_PASSWORD_FILE".into(), "/run/secrets/x".into());
        let texts = [
            "déjà vu\n".to_owned(),
            "bind 0.0.0.0\nrequirepass \"parconf\"\nuser appli on >paracl ~* +@all\n".to_owned(),
        ];
        let found = logins(&[redis, api], &texts);
        assert_eq!(found[0], Login::default());
        for wanted in [
            Login::of(None, "secret1"),
            Login::of(None, "parurl"),
            Login::of(Some("lecteur"), "parurl"),
            Login::of(None, "parenv"),
            Login::of(None, "parconf"),
            Login::of(None, "déjà vu"),
            Login::of(Some("appli"), "paracl"),
        ] {
            assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
        }
        let paths = |login: &Login| login.password.as_ref().is_some_and(|p| p.starts_with('/'));
        assert!(!found.iter().any(paths), "{found:?}");
    }
}
