//! Arguments of what a student types besides `check`.

use std::path::PathBuf;

use clap::Args;

/// `init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Le TP, par exemple 02
    #[arg(value_name = "TP")]
    pub lab: String,
    /// Dossier à créer (tp-02 pour le TP 02)
    #[arg(value_name = "DOSSIER")]
    pub folder: Option<PathBuf>,
    /// Enseignant : un dépôt modèle à donner aux étudiants, corrigé à chaque envoi (actions, github, 50)
    #[arg(
        long,
        value_enum,
        value_name = "SERVICE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "actions",
        hide_possible_values = true
    )]
    pub classroom: Option<crate::cli::student::Platform>,
    /// Avec --classroom : le dépôt qui publie ce cours
    #[arg(long, value_name = "PROPRIÉTAIRE/NOM", requires = "classroom")]
    pub course: Option<String>,
}

/// `reset`
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// Le TP
    #[arg(value_name = "TP")]
    pub lab: String,
}

/// `open`
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Le TP (celui du dossier par défaut)
    #[arg(value_name = "TP")]
    pub lab: Option<String>,
}

/// `hint`
#[derive(Debug, Args)]
pub struct HintArgs {
    /// Le TP (par défaut, celui du dossier)
    #[arg(value_name = "TP")]
    pub lab: Option<String>,
    /// Le contrôle
    #[arg(value_name = "ID")]
    pub check: Option<String>,
    /// Niveau de l'indice, du plus vague au plus précis
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub level: usize,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Le TP (par défaut, celui du dossier)
    #[arg(value_name = "TP")]
    pub lab: Option<String>,
    /// Le contrôle
    #[arg(value_name = "ID")]
    pub check: Option<String>,
}
