//! What runs where.

use jiff::Timestamp;
use serde::Serialize;

use super::{ObjectId, PastDeploy, Problem, Progress, Reference};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub app: Option<String>,
    pub environments: Vec<EnvironmentStatus>,
}

/// The worst of an environment's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Healthy,
    /// Rolling out, or waiting for something.
    Progressing,
    Failing,
    /// Nothing is deployed.
    Absent,
    /// It could not be asked.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnvironmentStatus {
    /// None for objects that were saved.
    pub environment: Option<String>,
    pub namespace: String,
    /// The cluster, by its context in the kubeconfig, where the environment is on several.
    pub context: Option<String>,
    /// Its place among the environments of the configuration.
    #[serde(skip)]
    pub rank: usize,
    pub health: Health,
    /// The newest deploy, however it ended.
    pub deploy: Option<PastDeploy>,
    /// The newest that succeeded, where that is another one.
    pub proven: Option<PastDeploy>,
    /// A run that is at work now.
    pub lock: Option<LockStatus>,
    /// Of a blue/green app the colours that are there.
    pub colors: Vec<TrafficStatus>,
    /// What runs, and of the rest whatever is not as it should be.
    pub workloads: Vec<WorkloadStatus>,
    pub addresses: Vec<Address>,
    /// When a preview may go.
    pub expires: Option<Timestamp>,
    /// Seconds until then; negative where it has passed.
    pub expires_in: Option<i64>,
    /// True where the namespace is being deleted.
    pub leaving: bool,
    /// Why something of it is not known.
    pub problem: Option<Problem>,
}

impl EnvironmentStatus {
    /// One of which nothing is known yet.
    pub fn new(environment: Option<&str>, namespace: &str, context: Option<&str>) -> Self {
        Self {
            environment: environment.map(str::to_owned),
            namespace: namespace.to_owned(),
            context: context.map(str::to_owned),
            rank: 0,
            health: Health::Absent,
            deploy: None,
            proven: None,
            lock: None,
            colors: Vec::new(),
            workloads: Vec::new(),
            addresses: Vec::new(),
            expires: None,
            expires_in: None,
            leaving: false,
            problem: None,
        }
    }

    /// `qa`, `qa (east)`, `preview demo-feature-a`
    pub fn name(&self) -> String {
        let name = match &self.environment {
            None => return "what was saved".to_owned(),
            Some(environment) if self.expires.is_some() => format!("{environment} {}", self.namespace),
            Some(environment) => environment.clone(),
        };
        self.context.iter().fold(name, |name, context| format!("{name} ({context})"))
    }

    /// The colour that serves.
    pub fn serving(&self) -> Option<&TrafficStatus> {
        self.colors.iter().find(|color| color.serves)
    }

    /// True where both are about the same environment of the same cluster.
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.environment, &self.namespace, &self.context) == (&other.environment, &other.namespace, &other.context)
    }

    /// The same without what changes by itself as time goes by.
    #[must_use]
    pub fn timeless(&self) -> Self {
        let mut status = self.clone();
        status.expires_in = None;
        let deploys = status.deploy.iter_mut().chain(&mut status.proven);
        deploys.for_each(|deploy| deploy.age = 0);
        status.lock.iter_mut().for_each(|lock| lock.seconds = None);
        let pods = status.workloads.iter_mut().flat_map(|workload| &mut workload.pods);
        pods.for_each(|pod| pod.restarted = pod.restarted.map(|_| 0));
        status
    }
}

/// A run that holds the lock of app and environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockStatus {
    pub by: String,
    /// By the holder's clock.
    pub since: Option<Timestamp>,
    /// Seconds since then.
    pub seconds: Option<i64>,
    /// Runs that wait for it.
    pub waiting: usize,
    /// True where it has given no sign of life for as long as the lock lasts: a run that was killed.
    pub silent: bool,
}

/// One colour of a blue/green app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrafficStatus {
    pub service: ObjectId,
    pub color: String,
    pub serves: bool,
    pub pods: usize,
    pub tag: Option<String>,
    pub image: Option<Reference>,
}

/// Where the app can be reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    pub object: ObjectId,
    /// `https://demo.example.com/shop`; `port 30080 of every node` where the node's address is not known.
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadStatus {
    pub object: ObjectId,
    /// waiting, ready, assumed, failed, gone
    pub verdict: &'static str,
    pub progress: Progress,
    pub images: Vec<Reference>,
    pub problem: Option<Problem>,
    pub pods: Vec<PodStatus>,
    /// In a blue/green app.
    pub color: Option<String>,
    /// `serves`; for an idle colour that is ready `newest, idle` or `way back`; why something is taken as good.
    pub remark: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodStatus {
    pub name: String,
    pub ready: bool,
    pub restarts: u32,
    /// Seconds since the last restart; none where there was none, or the objects were saved.
    pub restarted: Option<i64>,
    pub reason: Option<String>,
}

/// What is different from what was seen before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum StatusChange {
    /// It is seen for the first time.
    Seen,
    Health {
        from: Health,
    },
    /// Another deploy, or it has come to its end.
    Deploy,
    /// A run has begun, or ended.
    Lock,
    /// Another colour serves.
    Traffic,
    /// Another verdict, other counts, or another reason.
    Workload {
        object: ObjectId,
    },
    Removed {
        object: ObjectId,
    },
    Restarted {
        object: ObjectId,
        pod: String,
    },
    /// It can not be asked any more, or again.
    Problem,
}
