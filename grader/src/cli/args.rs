//! Arguments, with French help and errors.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::progress::Mode;
use crate::time::Span;

mod student;

pub use student::{ExplainArgs, HintArgs, InitArgs, OpenArgs, ResetArgs};

const TEMPLATE: &str = "\
{about-with-newline}
Usage : {usage}

{all-args}{after-help}";

const EXIT_CODES: &str = "\
Codes de sortie :
  0  tout est acquis
  1  un contrôle est manqué, ou un fichier de la copie est invalide
  2  mauvais usage, ou fichier de TP fautif
  3  copie refusée par la politique de sécurité
  4  la machine : pas de moteur, pas de disque, image introuvable (non noté)
  5  délai global dépassé (non noté)
  6  verdict rendu, nettoyage incomplet
  101 défaut du correcteur (non noté) · 130 interrompu et nettoyé (non noté)";

/// Corrige un TP Docker en observant la pile réelle de l'étudiant.
#[derive(Debug, Parser)]
#[command(
    name = "grader",
    version,
    help_template = TEMPLATE,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    subcommand_value_name = "COMMANDE",
    subcommand_help_heading = "Commandes",
    next_help_heading = "Options"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// Affiche cette aide
    #[arg(short = 'h', long, action = clap::ArgAction::Help, global = true)]
    help: Option<bool>,
    /// Affiche la version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Texte pour le terminal
    Human,
    /// Le rapport en un document JSON
    Json,
    /// Les événements, un par ligne
    Jsonl,
    /// Une page à ouvrir dans un navigateur
    Html,
    /// JUnit XML
    Junit,
    /// GitHub Actions : annotations, résumé, sorties de l'étape
    Github,
    /// Le fichier result.json de Classroom 50
    Classroom50,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Sur un terminal seulement
    Auto,
    /// Toujours
    Always,
    /// Jamais
    Never,
}

/// Progress on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    /// Vivante sur un terminal, une ligne par changement ailleurs
    Auto,
    /// Une ligne par changement
    Plain,
    /// Aucune
    None,
}

impl From<ProgressArg> for Mode {
    fn from(arg: ProgressArg) -> Self {
        match arg {
            ProgressArg::Auto => Self::Auto,
            ProgressArg::Plain => Self::Plain,
            ProgressArg::None => Self::None,
        }
    }
}

fn span(text: &str) -> Result<Duration, String> {
    Span::parse(text).map(|s| s.0)
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options communes")]
pub struct Global {
    /// Forme du rapport
    #[arg(
        long,
        value_enum,
        default_value = "human",
        value_name = "FORME",
        global = true,
        hide_possible_values = true,
        help = "Forme du rapport : human, html, json, jsonl, junit, github, classroom50"
    )]
    pub format: Format,
    /// Écrit le rapport dans ce fichier plutôt qu'à l'écran
    #[arg(short = 'o', long, value_name = "FICHIER", global = true)]
    pub output: Option<PathBuf>,
    /// Couleurs
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "QUAND",
        global = true,
        hide_possible_values = true,
        help = "Couleurs : auto, always, never"
    )]
    pub color: Color,
    /// Progression
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "FORME",
        global = true,
        hide_possible_values = true,
        help = "Progression : auto, plain, none"
    )]
    pub progress: ProgressArg,
    /// Seulement la note et ce qui est manqué
    #[arg(short = 'q', long, global = true)]
    pub quiet: bool,
    /// Montre aussi les faits observés
    #[arg(short = 'v', long, global = true)]
    pub verbose: bool,
    /// Délai global d'une correction, par exemple 300s
    #[arg(long, value_parser = span, default_value = "900s", value_name = "DURÉE", global = true)]
    pub timeout: Duration,
    /// Termine par 0 dès qu'un verdict est rendu
    #[arg(long, global = true)]
    pub exit_zero: bool,
    /// Travaille dans ce dossier
    #[arg(short = 'C', value_name = "DOSSIER", global = true)]
    pub dir: Option<PathBuf>,
}

/// Commands.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum Command {
    /// Examine la machine et dit quoi corriger
    Doctor,
    /// Liste les TP
    List,
    /// Commence un TP : copie son point de départ dans un dossier à vous
    Init(InitArgs),
    /// Recommence un TP de zéro, en gardant une sauvegarde de votre travail
    Reset(ResetArgs),
    /// Dit où vous en êtes
    Status,
    /// Corrige une copie
    Check(CheckArgs),
    /// Garde la pile en marche et corrige de nouveau à chaque enregistrement
    Watch(super::watch::WatchArgs),
    /// Donne un indice
    Hint(HintArgs),
    /// Ouvre l'énoncé d'un TP dans le navigateur, ou dit où il est
    Open(OpenArgs),
    /// Dit ce que demande un contrôle
    Explain(ExplainArgs),
    /// Ouvre le cours dans le navigateur, avec un bouton pour vérifier votre travail
    #[cfg(feature = "serve")]
    Serve(super::serve::ServeArgs),
    /// Supprime ce que des corrections interrompues ont laissé
    Clean(CleanArgs),
    /// Relit un journal d'événements (.jsonl)
    Replay(ReplayArgs),
    /// Donne les résultats à une plateforme : Moodle, Canvas, Gradescope, Classroom 50, tableur
    Export(super::export::ExportArgs),
    /// Montre ce que la politique accepte ou refuse d'un projet Compose, sans rien démarrer
    Policy(super::policy::PolicyArgs),
    /// Corrige une classe : un dossier par étudiant
    Batch(super::batch::BatchArgs),
    /// Corrige de nouveau une classe et dit qui change, de combien et par quel contrôle
    Regrade(super::regrade::RegradeArgs),
    /// Montre les copies d'une classe qui se ressemblent, côte à côte
    Compare(super::compare::CompareArgs),
    /// Dit si les résultats d'une classe sont bien ceux qui ont été corrigés, et peut en rejouer quelques-uns
    Verify(super::verify::VerifyArgs),
    /// Réunit les parts d'une classe corrigée sur plusieurs machines
    Merge(super::merge::MergeArgs),
    /// Récrit les résultats d'une classe selon le fichier du cours, sans rien corriger de nouveau
    Publish(super::publish::PublishArgs),
    /// Images hors ligne
    Images {
        #[command(subcommand)]
        command: ImagesCommand,
    },
    /// Outils pour qui écrit un TP
    Lab {
        #[command(subcommand)]
        command: LabCommand,
    },
    /// Écrit la complétion des commandes pour votre interpréteur
    Completions(super::manual::CompletionsArgs),
    /// Écrit les pages de manuel
    #[command(hide = true)]
    Man(super::manual::ManArgs),
    /// Le livre du cours
    #[cfg(feature = "book")]
    Book {
        #[command(subcommand)]
        command: super::book::BookCommand,
    },
}

/// `images …`
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// Liste les recettes et ce qui est construit
    List,
    /// Prépare les images d'un TP, ou de tous : locales, sinon téléchargées, sinon construites
    Build(ImagesBuild),
    /// Dit si les images d'un TP sont prêtes, sans rien changer
    Ready(ImagesBuild),
}

/// `lab …`
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Corrige la solution, le départ et toutes les variantes d'un TP
    Test(LabTest),
    /// Vérifie la déclaration d'un TP et ses fichiers
    Lint(LabLint),
    /// Écrit le schéma JSON de lab.toml
    Schema,
}

/// Where images may come from.
#[derive(Clone, Copy, Debug, Args)]
pub struct ImageArgs {
    /// Ne télécharge aucune image
    #[arg(long)]
    pub offline: bool,
    /// N'emploie pas les images hors ligne
    #[arg(long)]
    pub no_offline_images: bool,
}

impl From<ImageArgs> for crate::engine::ImagePolicy {
    fn from(args: ImageArgs) -> Self {
        Self { pull: !args.offline, recipes: !args.no_offline_images }
    }
}

/// `check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Le TP, par exemple 02
    #[arg(value_name = "TP")]
    pub lab: Option<String>,
    /// Ne juge que ce contrôle et ceux dont il dépend
    #[arg(long, value_name = "ID")]
    pub only: Option<String>,
    /// Mesure les durées telles quelles, sans les diviser (plus long)
    #[arg(long)]
    pub real_time: bool,
    /// Montre ce que le bac à sable change dans la copie
    #[arg(long)]
    pub explain: bool,
    /// Laisse la pile en marche une fois les verdicts rendus, le temps de regarder autour
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// `clean`
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Supprime aussi l'image de la sonde et les images hors ligne
    #[arg(long)]
    pub all: bool,
    /// Compte sans rien supprimer
    #[arg(long)]
    pub dry_run: bool,
}

/// `replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Le journal
    #[arg(value_name = "FICHIER")]
    pub file: PathBuf,
}

/// `images build`
#[derive(Debug, Args)]
pub struct ImagesBuild {
    /// TP dont il faut les images (tous par défaut)
    #[arg(value_name = "TP")]
    pub labs: Vec<String>,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// `lab test`
#[derive(Clone, Debug, Args)]
pub struct LabTest {
    /// Le TP
    #[arg(value_name = "TP")]
    pub lab: String,
    /// Seulement les variantes dont le nom contient ce texte
    #[arg(long, value_name = "TEXTE")]
    pub filter: Option<String>,
    /// Sans les variantes marquées « extended »
    #[arg(long)]
    pub core: bool,
    /// Corrections menées de front
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Montre le rapport de chaque variante
    #[arg(long)]
    pub show: bool,
    /// Mesure les durées telles quelles, sans les diviser (plus long)
    #[arg(long)]
    pub real_time: bool,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// `lab lint`
#[derive(Debug, Args)]
pub struct LabLint {
    /// Le TP (tous par défaut)
    #[arg(value_name = "TP")]
    pub lab: Option<String>,
}
