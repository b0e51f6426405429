//! Production is not changed by accident.

use super::{Context, application::Application, failure::Failure};
use crate::{
    config::Settings,
    model::{Exit, Problem},
};

/// A guarded environment asks for the app's name at a terminal; in CI the push is the consent; else `--yes`.
///
/// # Errors
/// Nobody to ask, or another answer.
pub(super) fn confirm(context: &Context, application: &Application) -> Result<(), Failure> {
    let target = &application.target;
    let pushed_in_ci = application.checkout.facts.ci.as_ref().is_some_and(|ci| ci.pull_request.is_none());
    if !target.confirm || application.checkout.settings.yes || pushed_in_ci {
        return Ok(());
    }
    let environment = &target.environment.value;
    let Some(ask) = &context.ask else {
        let text = format!("changing {environment} needs a confirmation, and there is nobody to ask");
        return Err(Problem::new("confirmation", Exit::Input, text).hint("add --yes").into());
    };
    let question = format!("this changes {environment} (namespace {})", target.namespace.value);
    if ask.confirm(&question, &target.app) {
        return Ok(());
    }
    Err(Problem::new("confirmation", Exit::Input, format!("not confirmed: {environment} is as it was")).into())
}

/// What is destroyed is named at a terminal, also in CI; else `--yes`.
///
/// # Errors
/// Nobody to ask, or another answer.
pub(super) fn destroy(context: &Context, application: &Application) -> Result<(), Failure> {
    let (namespace, environment) = (&application.target.namespace.value, &application.target.environment.value);
    let question = format!("this destroys {environment} in namespace {namespace}");
    named(context, &application.checkout.settings, &question, namespace)
}

/// The same for several previews: the app is named.
pub(super) fn destroy_all(context: &Context, settings: &Settings, namespaces: &[&str]) -> Result<(), Failure> {
    let app = &settings.app.value;
    let question = format!("this destroys {}", namespaces.join(", "));
    named(context, settings, &question, app)
}

fn named(context: &Context, settings: &Settings, question: &str, expected: &str) -> Result<(), Failure> {
    if settings.yes {
        return Ok(());
    }
    let problem = |text: &str| Problem::new("confirmation", Exit::Input, text);
    match &context.ask {
        None => Err(problem("destroying needs a confirmation, and there is nobody to ask").hint("add --yes").into()),
        Some(ask) if ask.confirm(question, expected) => Ok(()),
        Some(_) => Err(problem("not confirmed: all is as it was").into()),
    }
}
