//! French texts of the refusals, by rule. `{sujet}` and `{valeur}` are replaced.

mod build;

/// Texts of one rule.
pub(super) struct Text {
    pub id: &'static str,
    pub what: &'static str,
    /// Label under the quoted line.
    pub mark: &'static str,
    pub why: &'static str,
    pub instead: &'static str,
}

/// The texts of a rule; those of `unknown-key` when it has none.
pub(super) fn text(id: &str) -> &'static Text {
    all().find(|t| t.id == id).unwrap_or(&TEXTS[0])
}

/// Every rule that has a text.
#[cfg(test)]
pub(in crate::compose) fn ids() -> Vec<&'static str> {
    all().map(|text| text.id).collect()
}

/// Every text.
fn all() -> impl Iterator<Item = &'static Text> {
    TEXTS.iter().chain(build::TEXTS)
}

pub(super) const fn t(
    id: &'static str,
    what: &'static str,
    mark: &'static str,
    why: &'static str,
    instead: &'static str,
) -> Text {
    Text { id, what, mark, why, instead }
}

const MACHINE: &str =
    "un TP se corrige dans des conteneurs jetables ; ce réglage donne la main sur la machine";
const NAMESPACE: &str = "un TP se corrige dans des conteneurs jetables ; ce réglage en sort";
const FOLDER: &str = "seul le dossier rendu est monté ; le reste de la machine ne regarde pas la pile";
const REMOTE: &str = "un TP se corrige d'après les seuls fichiers rendus et les images annoncées";
const DROP: &str = "retirez cette clé : la pile du TP fonctionne sans elle";
const RELATIVE: &str =
    "copiez le nécessaire dans le dossier rendu et nommez-le par un chemin relatif, par exemple ./conf";

/// All rules. The first one is the default.
const TEXTS: &[Text] = &[
    t(
        "unknown-key",
        "{sujet} utilise la clé « {valeur} », que le correcteur ne connaît pas",
        "clé inconnue du correcteur",
        "tout ce qui n'est pas connu est refusé : un réglage nouveau pourrait toucher la machine",
        "retirez cette clé, ou demandez à votre enseignant de la faire étudier",
    ),
    t(
        "unknown-form",
        "{sujet} écrit un réglage sous une forme que le correcteur ne connaît pas",
        "forme inconnue",
        "tout ce qui n'est pas connu est refusé",
        "écrivez-le comme dans le cours",
    ),
    t(
        "privileged",
        "{sujet} demande le mode privilégié",
        "donne tous les droits sur la machine",
        MACHINE,
        "retirez privileged: ; si une permission précise manque, cherchez laquelle",
    ),
    t(
        "cap-add",
        "{sujet} demande la capacité « {valeur} »",
        "droit d'administration de la machine",
        MACHINE,
        "retirez-la ; celles que Docker donne d'office (CHOWN, NET_BIND_SERVICE, NET_RAW…) et IPC_LOCK sont permises",
    ),
    t(
        "namespace-host",
        "{sujet} partage un espace de noms : « {valeur} »",
        "sort du conteneur",
        NAMESPACE,
        DROP,
    ),
    t(
        "network-mode-host",
        "{sujet} demande le réseau de l'hôte",
        "donne accès à toutes les interfaces de la machine",
        "un TP se corrige dans des réseaux jetables ; ce réglage en sort",
        "ports: [\"5001:5000\"] publie le seul port utile",
    ),
    t(
        "network-mode-container",
        "{sujet} demande le réseau « {valeur} »",
        "réseau d'un autre projet",
        "un TP se corrige dans des réseaux jetables ; ce réglage en sort",
        "déclarez un réseau sous networks:, ou network_mode: \"service:nom\" pour un service du même fichier",
    ),
    t(
        "devices",
        "{sujet} demande un périphérique de la machine : {valeur}",
        "périphérique de la machine",
        MACHINE,
        DROP,
    ),
    t(
        "security-opt",
        "{sujet} affaiblit son isolation : « {valeur} »",
        "protection retirée",
        MACHINE,
        "retirez security_opt: ; seul no-new-privileges est accepté",
    ),
    t(
        "cgroup",
        "{sujet} choisit son groupe de contrôle : « {valeur} »",
        "échappe aux limites du correcteur",
        NAMESPACE,
        "fixez les limites avec deploy.resources.limits",
    ),
    t("runtime", "{sujet} choisit un autre moteur d'exécution : « {valeur} »", "autre moteur", MACHINE, DROP),
    t(
        "host-program",
        "{sujet} lance un programme de la machine par la clé « {valeur} »",
        "lance un programme de la machine",
        MACHINE,
        DROP,
    ),
    t(
        "hook-privileged",
        "{sujet} demande un crochet privilégié",
        "donne tous les droits sur la machine",
        MACHINE,
        "retirez privileged: de ce crochet",
    ),
    t(
        "oom",
        "{sujet} se protège du manque de mémoire aux dépens de la machine",
        "",
        "les limites de mémoire protègent la machine de tous",
        DROP,
    ),
    t(
        "sysctl",
        "{sujet} change un réglage du noyau : « {valeur} »",
        "réglage de toute la machine",
        "ce réglage vaut pour toute la machine ; seuls net.*, kernel.shm*, kernel.msg*, kernel.sem et fs.mqueue.* sont propres au conteneur",
        DROP,
    ),
    t(
        "external-links",
        "{sujet} se lie à un conteneur d'un autre projet : {valeur}",
        "conteneur d'un autre projet",
        "le correcteur lance votre pile seule",
        "mettez ce service dans le même fichier",
    ),
    t(
        "volumes-from",
        "{sujet} reprend les volumes d'un conteneur d'un autre projet : {valeur}",
        "conteneur d'un autre projet",
        "le correcteur lance votre pile seule",
        "déclarez un volume nommé et montez-le dans les deux services",
    ),
    t(
        "volumes-from-monitor",
        "{sujet} reprend ce qui est prêté à « {valeur} »",
        "prêté à un programme connu, et à lui seul",
        "les compteurs de la machine ne sont montrés qu'à un programme connu",
        "retirez volumes_from: ; ce service fonctionne sans eux",
    ),
    t(
        "monitor-program",
        "{sujet} y ferait tourner un autre programme : {valeur}",
        "autre programme",
        "les compteurs de la machine ne sont montrés qu'à un programme connu, tel que son image le donne",
        "un contrôle de santé qui lit une page convient : wget -q --spider http://localhost:8080/healthz",
    ),
    t(
        "services-many",
        "{sujet} démarre {valeur} conteneurs",
        "trop de conteneurs",
        "un TP en démarre quelques-uns ; autant occuperait toute la machine",
        "gardez les services utiles, une seule copie de chacun",
    ),
    t(
        "networks-many",
        "{sujet} déclare {valeur} réseaux",
        "trop de réseaux",
        "un TP en déclare quelques-uns ; autant occuperait toute la machine",
        "gardez les réseaux utiles",
    ),
    t(
        "name-reserved",
        "{sujet} porte un nom que le correcteur se réserve",
        "nom réservé",
        "le correcteur ajoute à la pile des objets de ce nom",
        "choisissez un autre nom",
    ),
    t(
        "image-local",
        "{sujet} part d'une image qui n'est connue que de cette machine : {valeur}",
        "image de cette machine",
        "les images de la machine qui corrige appartiennent à d'autres",
        "nommez une image publique, ou construisez la vôtre avec build:",
    ),
    t(
        "host-gateway",
        "{sujet} demande l'adresse de la machine : {valeur}",
        "mène à la machine",
        "la pile du TP n'a pas à joindre la machine qui corrige",
        "joignez un service par son nom",
    ),
    t(
        "bind-outside",
        "{sujet} monte un dossier hors du dossier rendu : {valeur}",
        "hors du dossier rendu",
        FOLDER,
        RELATIVE,
    ),
    t(
        "bind-symlink",
        "{sujet} monte un lien qui mène hors du dossier rendu : {valeur}",
        "lien vers l'extérieur",
        FOLDER,
        RELATIVE,
    ),
    t(
        "docker-sock",
        "{sujet} s'ouvre une entrée sur le moteur de conteneurs : {valeur}",
        "donne la main sur tout le moteur",
        "qui parle à cette socket commande la machine entière",
        "montez « /var/run/docker.sock:/var/run/docker.sock:ro » : le correcteur met à sa place un accès filtré",
    ),
    t(
        "docker-host",
        "{sujet} s'adresse à un moteur Docker par le réseau : {valeur}",
        "moteur hors de la pile",
        "qui parle à un moteur Docker commande la machine entière",
        "montez « /var/run/docker.sock:/var/run/docker.sock:ro » : le correcteur met à sa place un accès filtré",
    ),
    t(
        "mount-type",
        "{sujet} utilise un montage de type « {valeur} »",
        "type de montage inconnu",
        MACHINE,
        "utilisez un volume nommé, un dossier du rendu ou tmpfs",
    ),
    t(
        "mount-propagation",
        "{sujet} propage un montage vers la machine : « {valeur} »",
        "sort du conteneur",
        NAMESPACE,
        "retirez propagation:",
    ),
    t(
        "volume-driver",
        "{sujet} demande un pilote ou des options de stockage : {valeur}",
        "stockage de la machine ou du réseau",
        "un volume du TP est un simple volume local ; ces options montent autre chose",
        "gardez la déclaration vide : le volume sera local",
    ),
    t(
        "network-driver",
        "{sujet} demande le pilote « {valeur} »",
        "réseau de la machine",
        "un TP se corrige dans des réseaux jetables de type bridge",
        "driver: bridge",
    ),
    t(
        "network-option",
        "{sujet} règle « {valeur} »",
        "option du pilote",
        "cette option touche les interfaces de la machine",
        "retirez driver_opts:",
    ),
    t(
        "file-outside",
        "{sujet} lit un fichier hors du dossier rendu : {valeur}",
        "hors du dossier rendu",
        FOLDER,
        RELATIVE,
    ),
    t(
        "ports-many",
        "{sujet} publie {valeur} ports",
        "plage démesurée",
        "chaque port publié occupe la machine",
        "publiez les seuls ports utiles, par exemple ports: [\"5001:5000\"]",
    ),
    t(
        "secret-external",
        "{sujet} vient d'ailleurs que du dossier rendu",
        "hors du dossier rendu",
        "seul le dossier rendu est lu",
        "file: ./secrets/nom.txt, avec une valeur d'exemple : Compose seul sait le donner, Swarm n'y est pour rien",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_texts_complete() {
        let mut ids: Vec<&str> = all().map(|t| t.id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(all().all(|t| !t.what.is_empty() && !t.why.is_empty() && !t.instead.is_empty()));
    }
}
