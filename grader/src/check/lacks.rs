//! What an offline image cannot do, told apart from what the student did wrong.

use super::tell;
use super::world::World;
use crate::error::{Fault, FaultKind};
use crate::event::LACKS;

/// A fault when a service that does not start says the words by which its offline image tells that it
/// lacks something ([`LACKS`]): with the official image it might have started.
pub async fn of(world: &dyn World, service: &str, said: &str) -> Result<(), Fault> {
    if said.is_empty() {
        return Ok(());
    }
    for inspection in world.inspections(service).await? {
        let words = inspection["Config"]["Labels"][LACKS].as_str().unwrap_or_default();
        if let Some(found) = words.lines().find(|words| !words.is_empty() && said.contains(words)) {
            return Err(Fault::new(
                FaultKind::Image,
                format!("l'image hors ligne de « {service} » ne sait pas ce que vous lui demandez"),
                "écrivez-le autrement (la fin du rapport dit ce qui diffère), ou corrigez-vous là où les images officielles se téléchargent",
            )
            .detail(tell::cut(found, 120)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::FakeWorld;
    use super::*;

    #[tokio::test]
    async fn the_words_of_the_image_alone_excuse() {
        let mut world = FakeWorld::lab01();
        let of_image = json!({ "Config": { "Labels": { LACKS: "unknown directive \"a\"\ninvalid b" } } });
        world.deep.inspections.insert("serveur".into(), vec![of_image]);
        world.deep.inspections.insert("client".into(), vec![json!({ "Config": { "Labels": {} } })]);
        assert!(of(&world, "serveur", "[emerg] invalid b in x.conf:3").await.is_err());
        assert!(of(&world, "serveur", "[emerg] invalid c in x.conf:3").await.is_ok());
        assert!(of(&world, "client", "[emerg] invalid b in x.conf:3").await.is_ok());
        assert!(of(&world, "serveur", "").await.is_ok());
    }
}
