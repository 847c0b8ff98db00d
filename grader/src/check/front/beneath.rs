//! What a page, a redirection and a prefix without its slash must keep: the prefix.

use super::prefixed::{Prefixed, is_moved};
use super::url::{resolve, sheets};
use super::{Cx, Gate, HOST, tell, token};
use crate::error::Fault;
use crate::event::{Fact, Miss};

impl Prefixed {
    pub(super) async fn sheet(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        service: &str,
    ) -> Result<Result<Fact, Box<Miss>>, Fault> {
        let prefix = self.prefix(service);
        let page = format!("{prefix}/");
        let base = self.base(
            cx,
            service,
            &page,
            format!(
                "la feuille de style de {} se charge, sous {page}, et c'est celle de « {service} »",
                self.shown(&page)
            ),
        );
        let answer = match self.get(cx, gate, &page, false, &base).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        let miss = |headline: String, observed: String, hint: &str| {
            Ok(Err(Box::new(Miss { headline, observed, hint: hint.to_owned(), ..base.clone() })))
        };
        let Some(reference) = sheets(&answer.body).into_iter().next() else {
            return miss(
                format!("la page de « {service} » n'a pas de feuille de style"),
                format!("GET {page} : aucun lien vers un fichier .css"),
                "la page du départ en a une : la servez-vous telle quelle ?",
            );
        };
        let shown = tell::cut(&reference, 80);
        let outside = "l'application doit savoir sous quel préfixe elle est publiée pour écrire ses liens";
        let path = match resolve(HOST, &page, &reference) {
            Ok(path) if path.starts_with(&page) => path,
            Ok(_) => {
                return miss(
                    format!("les fichiers statiques de « {service} » sortent du préfixe"),
                    format!("la page demande {shown}, qui n'est pas sous {page}"),
                    outside,
                );
            }
            Err(host) => {
                return miss(
                    format!("les fichiers statiques de « {service} » sont demandés à un autre hôte"),
                    format!("la page demande {shown} (hôte « {} »)", tell::cut(&host, 60)),
                    "un visiteur ne connaît que l'adresse qu'il a tapée",
                );
            }
        };
        let sheet = match self.get(cx, gate, &path, false, &base).await? {
            Ok(sheet) => sheet,
            Err(miss) => return Ok(Err(miss)),
        };
        let kind = sheet.header("content-type").unwrap_or("aucun").to_owned();
        if !kind.to_lowercase().starts_with("text/css") {
            return miss(
                format!("la feuille de style de « {service} » n'en est pas une pour un navigateur"),
                format!("GET {} : Content-Type {}", tell::cut(&path, 80), tell::cut(&kind, 60)),
                "un navigateur ignore une feuille de style qui n'est pas annoncée en text/css",
            );
        }
        if !sheet.body.contains(service) {
            return miss(
                format!("la feuille de style reçue n'est pas celle de « {service} »"),
                format!("GET {} : {}", tell::cut(&path, 80), tell::cut(&sheet.body, 80)),
                "deux applications ne peuvent pas partager un même chemin pour leurs fichiers",
            );
        }
        Ok(Ok(Fact::new(service, path.clone(), format!("{service} : {path} ({kind})"))))
    }

    pub(super) async fn redirect(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        service: &str,
    ) -> Result<Result<Fact, Box<Miss>>, Fault> {
        let token = token(cx.world, &format!("redirect-{service}"));
        let prefix = self.prefix(service);
        let path = format!("{prefix}/depart?jeton={token}");
        let base = self.base(
            cx,
            service,
            &path,
            format!("{} redirige sous {prefix}/, et l'arrivée répond avec le même jeton", self.shown(&path)),
        );
        let answer = match self.get(cx, gate, &path, true, &base).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        let miss = |headline: String, observed: String, hint: &str| {
            Ok(Err(Box::new(Miss { headline, observed, hint: hint.to_owned(), ..base.clone() })))
        };
        let to = answer.header("location").unwrap_or_default().to_owned();
        if !is_moved(answer.status) || to.is_empty() {
            return miss(
                format!("« {service} » ne redirige pas"),
                format!("GET {path} : {} sans Location", answer.status),
                "c'est au navigateur de suivre la redirection, pas au mandataire",
            );
        }
        let shown = format!("Location : {}", tell::cut(&to, 100));
        let host = if self.port == 80 { HOST.to_owned() } else { format!("{HOST}:{}", self.port) };
        let target = match resolve(&host, &path, &to) {
            Ok(target) if target.starts_with(&format!("{prefix}/")) => target,
            Ok(_) => {
                return miss(
                    format!("la redirection de « {service} » sort du préfixe"),
                    shown,
                    "l'application redirige vers le chemin qu'elle croit être le sien : qui lui dit le préfixe ?",
                );
            }
            Err(_) => {
                return miss(
                    format!("la redirection de « {service} » mène à un autre hôte"),
                    shown,
                    "l'application reprend l'en-tête Host qu'elle reçoit : lequel Nginx lui donne-t-il ?",
                );
            }
        };
        let end = match self.get(cx, gate, &target, false, &base).await? {
            Ok(end) => end,
            Err(miss) => return Ok(Err(miss)),
        };
        let genuine = self.genuine(cx, service, &end, &token, &base).await?;
        Ok(genuine.map(|_| Fact::new(service, target.clone(), format!("{path} → {target} : jeton rendu"))))
    }

    pub(super) async fn slash(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        service: &str,
    ) -> Result<Result<Fact, Box<Miss>>, Fault> {
        let prefix = self.prefix(service);
        let base = self.base(
            cx,
            service,
            &prefix,
            format!("{} mène à la page de {prefix}/ (par une redirection)", self.shown(&prefix)),
        );
        let answer = match self.get(cx, gate, &prefix, true, &base).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        let to = answer.header("location").unwrap_or_default().to_owned();
        let there = resolve(HOST, &prefix, &to).is_ok_and(|path| path == format!("{prefix}/"));
        if is_moved(answer.status) && there {
            return Ok(Ok(Fact::new(service, to.clone(), format!("{prefix} → {to}"))));
        }
        Ok(Err(Box::new(Miss {
            headline: format!("« {prefix} », sans barre finale, ne mène pas à la page"),
            observed: if to.is_empty() {
                format!("GET {prefix} : {} sans redirection", answer.status)
            } else {
                format!("GET {prefix} : {}, Location : {}", answer.status, tell::cut(&to, 100))
            },
            hint: "sans barre finale, les liens relatifs de la page partiraient de la racine : il faut une redirection, et vers l'hôte du visiteur".to_owned(),
            ..base
        })))
    }
}
