//! What few kinds may do besides [`World`](super::World): run a command in a container, take one
//! replica away, look for a value wherever the engine would show it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::world::Vantage;
use crate::error::Fault;

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables added to those of the container.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub input: Vec<u8>,
    /// Longest run.
    pub deadline: Duration,
}

impl Exec {
    /// A command without input or variables, for half a minute at most.
    pub fn new<T: AsRef<str>>(command: &[T]) -> Self {
        let command = command.iter().map(|word| word.as_ref().to_owned()).collect();
        Self { command, deadline: Duration::from_secs(30), ..Self::default() }
    }
}

/// What a command did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Exit code: 126 or 127 when the program cannot be run; `None` when it did not end in time.
    pub code: Option<i64>,
    /// Standard output, cut after 32 MiB.
    pub out: Vec<u8>,
    /// Standard error, cut after 64 KiB.
    pub err: String,
}

impl Executed {
    /// Whether it ended well.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }
}

/// Where a value was found in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// In the commands that made it (`docker history`).
    History,
    /// In its configuration: environment, labels, command.
    Configuration,
    /// In a file of one of its layers, even when a later layer removes it.
    Layer,
}

/// A secret of the submission whose value was drawn for this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Name under the top-level `secrets`.
    pub name: String,
    /// File that holds it, relative to the submission.
    pub file: String,
    /// Value of this run.
    pub value: String,
    /// What the student's file held.
    pub was: String,
}

/// The `.env` of this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// Values drawn for the run, by name.
    pub drawn: BTreeMap<String, String>,
    /// Name of the example.
    pub example: String,
    /// What the example gives to each name; `None` when there is no such file.
    pub offered: Option<BTreeMap<String, String>>,
    /// What the student's own `.env` gives to the drawn names, when it is in the folder.
    pub own: BTreeMap<String, String>,
    /// Where a secret without a value still gets one.
    pub fallbacks: Vec<Fallback>,
    /// Drawn names whose value reaches no service.
    pub unused: Vec<String>,
}

/// A place of the model that has a value even when its secret has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fallback {
    /// Secret.
    pub name: String,
    /// Path in the canonical model.
    pub path: Vec<String>,
}

/// A script of the student's to run in a container of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptRun {
    /// Official name of the image.
    pub image: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Longest run.
    pub deadline: Duration,
}

/// A request that the receiver of the run was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Unix time, microseconds.
    pub at_us: i64,
    /// Address of the sender.
    pub from: Option<std::net::IpAddr>,
    /// Path.
    pub path: String,
    /// Body, as JSON; `Null` when it is none.
    pub body: Value,
}

/// What an image weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes of all its layers.
    pub bytes: u64,
    /// Name of the image that it starts from; « rien » when it starts from none.
    pub base: String,
    /// Bytes of that one.
    pub base_bytes: u64,
}

/// An image to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Service that it is built for.
    pub service: String,
    /// Path on the registry, without its address.
    pub path: String,
    /// Tag.
    pub tag: String,
}

/// An image that was published, then pulled back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Back {
    /// Whether it is the one that was built for the service.
    pub same: bool,
    /// Digest that the registry gave it.
    pub digest: String,
}

/// A process of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its user.
    pub uid: u32,
    /// Its command line.
    pub command: String,
}

/// What an image weighs, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSizes {
    /// The image that runs.
    pub image: u64,
    /// The stages of its Dockerfile that it copies from, each built for itself.
    pub feeders: Vec<(String, u64)>,
}

/// What few kinds may do besides [`World`](super::World). A [`Fault`] is the machine's or ours.
#[async_trait]
pub trait Deep: Send + Sync {
    /// Runs a command in the first running container of a service, or in a twin.
    async fn exec(&self, at: &Vantage, run: Exec) -> Result<Executed, Fault>;

    /// Takes a container off a network (key of the student's file); gives the unix microseconds of
    /// the acknowledgement.
    async fn unplug(&self, container: &str, network: &str) -> Result<i64, Fault>;

    /// Puts it back, with its names and its address.
    async fn plug(&self, container: &str, network: &str) -> Result<(), Fault>;

    /// Suspends a container: it keeps its address and its names, and answers nothing. Gives the unix
    /// microseconds of the acknowledgement.
    async fn pause(&self, container: &str) -> Result<i64, Fault>;

    /// Undoes [`Deep::pause`]; gives the unix microseconds of the acknowledgement.
    async fn unpause(&self, container: &str) -> Result<i64, Fault>;

    /// Ends one container at once, as a crash would; the engine does not restart it.
    async fn halt(&self, container: &str) -> Result<(), Fault>;

    /// Starts it again, without waiting until it is ready.
    async fn revive(&self, container: &str) -> Result<(), Fault>;

    /// Removes the containers of a service and creates them anew, as [`World::recreate`](super::World::recreate)
    /// does, at other addresses: the old ones are held meanwhile.
    async fn recreate_elsewhere(&self, service: &str) -> Result<bool, Fault>;

    /// Suspends every process of a service, its loopback interface left as it is; undone by
    /// [`World::thaw`](super::World::thaw). Gives the unix microseconds of the acknowledgement.
    async fn suspend(&self, service: &str) -> Result<i64, Fault>;

    /// Ends the main process of a container as a crash would, from outside: what the engine does then is up
    /// to its restart policy. Gives the unix microseconds of the acknowledgement.
    async fn crash(&self, container: &str) -> Result<i64, Fault>;

    /// Runs a program in a throwaway container on the networks of the stack, with the submission read-only
    /// as its working directory and the filtered engine at the usual place of the socket.
    async fn script(&self, run: ScriptRun) -> Result<Executed, Fault>;

    /// What `docker inspect` shows of each container of a service.
    async fn inspections(&self, service: &str) -> Result<Vec<Value>, Fault>;

    /// Command lines of the processes of a service, all its containers together.
    async fn processes(&self, service: &str) -> Result<Vec<String>, Fault>;

    /// Processes of a service with their users, all its containers together.
    async fn owners(&self, service: &str) -> Result<Vec<Process>, Fault>;

    /// What the image that was built for a service weighs; `None` for a service that is not built.
    async fn image_sizes(&self, service: &str) -> Result<Option<ImageSizes>, Fault>;

    /// Where one of these texts is found in the image that was built for a service; nothing for a
    /// service that is not built.
    async fn traces(&self, service: &str, needles: &[String]) -> Result<Vec<Trace>, Fault>;

    /// What the image built for a service weighs; `None` for a service that is not built.
    async fn weight(&self, service: &str) -> Result<Option<Weight>, Fault>;

    /// Pushes these images to a registry of ours, started from `registry` for that, then forgets those names and
    /// pulls each back, in the same order.
    async fn publish(&self, registry: &str, parcels: &[Parcel]) -> Result<Vec<Back>, Fault>;

    /// The secret drawn for this run; `None` when the submission has no such file secret.
    fn drawn(&self) -> Option<&Drawn>;

    /// The `.env` of this run; `None` when the lab has the student's own used.
    fn dotenv(&self) -> Option<&Dotenv>;

    /// What the receiver of the run was sent so far, in order; `None` without a receiver.
    async fn deliveries(&self) -> Result<Option<Vec<Delivery>>, Fault>;
}
