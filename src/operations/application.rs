//! The app as the checkout has it: its target, its manifests, its images.

use std::{path::PathBuf, sync::Arc};

use futures::future::try_join_all;
use tokio::sync::OnceCell;

use super::{Context, checkout::Checkout, elsewhere, failure::Failure, places, recorded, secret};
use crate::{
    cluster::{Cluster, ClusterError, Served},
    config::ImageSettings,
    files,
    model::{
        FieldPath, Image, Note, Object, Origin, Outcome, Problem, Record, Reference, Resource, SourceEvent, Sourced,
        Target, Traffic,
    },
    plan,
    registry::{Registry, check_platform},
    render::{self, Manifests},
};

#[derive(Clone)]
pub(super) struct Application {
    pub(super) checkout: Checkout,
    pub(super) target: Target,
    pub(super) manifests: Manifests,
    /// At least one, unless the manifests come from another renderer or have faults.
    pub(super) images: Vec<ImageSettings>,
    /// True where the manifests come from another renderer (`-f`).
    pub(super) given: bool,
    /// ConfigMaps and Secrets of the app that are in the cluster and not among the given manifests.
    pub(super) elsewhere: Vec<Object>,
    /// What the registry said of the images: the same for each cluster, whatever becomes of a tag meanwhile.
    found: Arc<OnceCell<Vec<Image>>>,
}

impl Application {
    /// Reads the checkout, and the manifests it names or `files` in their place.
    pub(super) fn read(context: &Context, files: &[PathBuf]) -> Result<Self, Failure> {
        let application = Self::read_with_faults(context, files)?;
        application.refuse_faults()?;
        Ok(application)
    }

    /// The same, also where the manifests have faults that let their objects be told: no release can be made of them.
    pub(super) fn read_with_faults(context: &Context, files: &[PathBuf]) -> Result<Self, Failure> {
        let application = Self::gather(context, files)?;
        let Self { checkout, target, manifests, .. } = &application;
        plan::notes(&checkout.settings, &checkout.facts, target).into_iter().for_each(|note| context.tell(note));
        manifests.warnings.iter().for_each(|warning| context.tell(remark(warning)));
        Ok(application)
    }

    /// Reads all of it as `read` does, and tells nothing.
    pub(super) fn read_quietly(context: &Context, files: &[PathBuf]) -> Result<Self, Failure> {
        let application = Self::gather(context, files)?;
        application.refuse_faults()?;
        Ok(application)
    }

    /// Tells the faults of the manifests, if there are any.
    pub(super) fn refuse_faults(&self) -> Result<(), Failure> {
        match self.manifests.faults() {
            [] => Ok(()),
            faults => Err(places::of_rendering(faults.to_vec(), &self.images)),
        }
    }

    fn gather(context: &Context, files: &[PathBuf]) -> Result<Self, Failure> {
        let checkout = Checkout::read(context)?;
        let target = checkout.target()?;
        let manifests = read_manifests(context, &checkout, &target, files)?;
        let images = images(&checkout, &manifests, !files.is_empty())?;
        Ok(Self {
            checkout,
            target,
            manifests,
            images,
            given: !files.is_empty(),
            elsewhere: Vec::new(),
            found: Arc::default(),
        })
    }

    /// The app and its place, for what is done with what the cluster keeps: nothing of the tree is deployed.
    pub(super) fn without_manifests(context: &Context) -> Result<Self, Failure> {
        let mut checkout = Checkout::read(context)?;
        checkout.settings.allow_dirty = true;
        let target = checkout.target()?;
        Ok(Self::bare(checkout, target))
    }

    /// A target without manifests and images.
    pub(super) fn bare(checkout: Checkout, target: Target) -> Self {
        Self {
            checkout,
            target,
            manifests: Manifests::default(),
            images: Vec::new(),
            given: false,
            elsewhere: Vec::new(),
            found: Arc::default(),
        }
    }

    /// Turns to an earlier release in the same place: its commit, its tag, its images.
    pub(super) fn take_up(&mut self, record: &Record) {
        self.target = recorded::target(self, record);
        let rule = || Origin::Rule(format!("revision {}", record.revision));
        let settings =
            |image: &Image| ImageSettings::conventional(Sourced::new(image.reference.repository.clone(), rule()));
        self.images = record.images.iter().map(settings).collect();
        self.given = record.given;
        self.found = Arc::default();
    }

    /// Reads the manifests that the checkout names, or `files` in their place.
    pub(super) fn read_manifests(&mut self, context: &Context, files: &[PathBuf]) -> Result<(), Failure> {
        self.manifests = read_manifests(context, &self.checkout, &self.target, files)?;
        self.refuse_faults()
    }

    /// Writes what is decided into the outcome.
    pub(super) fn describe(&self, outcome: &mut Outcome) {
        let target = &self.target;
        outcome.app = Some(target.app.clone());
        outcome.environment = Some(target.environment.value.clone());
        outcome.namespace = Some(target.namespace.value.clone());
        outcome.commit = target.commit.as_ref().map(|commit| commit.sha.clone());
        outcome.tag = Some(target.tag.value.clone());
    }

    /// The same, and tells it.
    pub(super) fn announce(&self, context: &Context, outcome: &mut Outcome) {
        self.describe(outcome);
        context.tell(SourceEvent::Target { target: Box::new(self.target.clone()) });
    }

    pub(super) fn reference(&self, image: &ImageSettings) -> Reference {
        let tag = Some(self.target.tag.value.clone());
        Reference { repository: image.repository.value.clone(), tag, digest: None }
    }

    /// The registries, with the logins that count for this app's images.
    pub(super) fn registry(&self, context: &Context) -> Registry {
        let pushed = self.images.iter().map(|image| image.repository.value.registry.clone());
        Registry::new(&context.variables, &context.redactor, pushed)
    }

    pub(super) fn moves_latest(&self) -> bool {
        self.checkout.settings.latest.contains(&self.target.environment.value)
    }

    /// Finds every image of the app, and tells those that the registry has.
    pub(super) async fn resolve_images(&self, context: &Context, registry: &Registry) -> Result<Vec<Image>, Failure> {
        let is_told = self.found.initialized();
        let images = self.find_images(registry).await?;
        if !is_told && self.checkout.settings.deploy.registry_check.value {
            images.iter().for_each(|image| context.tell(SourceEvent::Image { image: image.clone() }));
        }
        Ok(images)
    }

    /// Asks the registry for every image of the app: digest and platforms. With `registry_check: false` by tag only.
    pub(super) async fn find_images(&self, registry: &Registry) -> Result<Vec<Image>, Failure> {
        self.found.get_or_try_init(|| self.ask_for_images(registry)).await.cloned()
    }

    async fn ask_for_images(&self, registry: &Registry) -> Result<Vec<Image>, Failure> {
        if !self.checkout.settings.deploy.registry_check.value {
            return Ok(self.images_by_tag());
        }
        let images = try_join_all(self.images.iter().map(async |settings| {
            let image = registry.resolve(&self.reference(settings)).await?;
            match &settings.platform {
                Some(platform) => check_platform(&image, platform).map(|()| image),
                None => Ok(image),
            }
        }))
        .await?;
        Ok(images)
    }

    /// The images as nobody has looked for them yet.
    pub(super) fn images_by_tag(&self) -> Vec<Image> {
        let by_tag = |image| Image { reference: self.reference(image), platforms: Vec::new() };
        self.images.iter().map(by_tag).collect()
    }

    /// Connects to the environment's cluster, and tells which that is.
    pub(super) async fn connect(&self, context: &Context) -> Result<Cluster, Failure> {
        let cluster = self.connect_quietly(context).await?;
        context.tell(SourceEvent::Connection { connection: cluster.connection().clone() });
        Ok(cluster)
    }

    pub(super) async fn connect_quietly(&self, context: &Context) -> Result<Cluster, Failure> {
        let options = self.checkout.settings.connection(&self.target.environment.value, &context.variables);
        let cluster = Cluster::connect(&options, &context.redactor, context.listener.clone()).await?;
        Ok(cluster.with_adopted(&self.checkout.settings.adopt))
    }

    /// Asks the cluster about kinds that are not built in, and what given manifests leave out; nothing is asked where there
    /// are none.
    ///
    /// # Errors
    /// Kinds that it serves in other versions only, or not at all while no manifest defines them.
    pub(super) async fn learn_kinds(&mut self, cluster: &Cluster) -> Result<(), Failure> {
        self.elsewhere = elsewhere::configuration(self, cluster).await?;
        let custom = self.manifests.custom_kinds();
        if custom.is_empty() {
            return Ok(());
        }
        let mut problems = Vec::new();
        for (asked, served) in custom.iter().zip(cluster.serves(&custom).await?) {
            match served {
                // it is applied before its objects: what the cluster serves now does not count
                _ if self.manifests.define(asked) => {}
                Served::As(resource) => self.manifests.correct(&resource),
                Served::Otherwise(served) => problems.push(self.not_served(asked, served)),
                Served::Nowhere => problems.push(self.not_served(asked, Vec::new())),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure(problems)) }
    }

    fn not_served(&self, resource: &Resource, served: Vec<String>) -> Problem {
        let object = self.manifests.objects().find(|object| object.resource == *resource);
        let problem = Problem::from(ClusterError::NotServed {
            object: object.as_ref().map(|object| Box::new(object.id.clone())),
            api_version: resource.api_version(),
            kind: resource.kind.clone(),
            served,
        });
        let place = object.and_then(|object| self.manifests.place(&object.from, &FieldPath::parse("apiVersion")));
        match place {
            Some(place) => problem.at(place),
            None => problem,
        }
    }

    /// The Service that is switched, where the app has colours and the Service is there.
    pub(super) async fn traffic(&self, cluster: &Cluster) -> Result<Option<Traffic>, Failure> {
        match &self.checkout.settings.blue_green {
            Some(blue_green) => Ok(cluster.traffic(&self.target.namespace.value, blue_green).await?),
            None => Ok(None),
        }
    }
}

fn read_manifests(
    context: &Context,
    checkout: &Checkout,
    target: &Target,
    files: &[PathBuf],
) -> Result<Manifests, Failure> {
    let environment = &target.environment.value;
    let layers = if files.is_empty() {
        let paths: Vec<PathBuf> = checkout.settings.manifests.value.iter().map(PathBuf::from).collect();
        files::manifests(&checkout.folder, &paths, environment)?
    } else {
        files::manifests(&context.directory, files, environment)?
    };
    let all = |errors| places::of_rendering(errors, &[]);
    let mut manifests = render::read(&layers).map_err(all)?;
    if checkout.settings.substitute.value {
        manifests.substitute(&plan::values(target)).map_err(all)?;
    } else {
        manifests.remark_placeholders();
    }
    secret::learn(&context.redactor, manifests.objects());
    Ok(manifests)
}

/// `kubernetes/web.yaml:7:3: `app` stands twice: the last one wins (remove the one on line 5)`
fn remark(warning: &Problem) -> Note {
    let place = warning.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
    let hints: String = warning.hints.iter().map(|hint| format!(" ({hint})")).collect();
    Note::attention("manifest", format!("{place}{}{hints}", warning.text))
}

/// As configured, else the one repository that the manifests leave open.
fn images(checkout: &Checkout, manifests: &Manifests, ready_made: bool) -> Result<Vec<ImageSettings>, Failure> {
    if !checkout.settings.images.is_empty() {
        return Ok(checkout.settings.images.clone());
    }
    match render::app_image(manifests, &checkout.settings.image_paths.value) {
        Ok(repository) => {
            let rule = Origin::Rule("the image without a tag in the manifests".to_owned());
            Ok(vec![ImageSettings::conventional(Sourced::new(repository, rule))])
        }
        // manifests of another renderer may carry their images already
        Err(_) if ready_made || manifests.lack_some() => Ok(Vec::new()),
        Err(errors) => Err(places::of_rendering([&errors[..], manifests.faults()].concat(), &[])),
    }
}
