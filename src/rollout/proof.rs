//! What is proven of the new pods: that they run what was pushed.

use std::collections::HashMap;

use serde_json::Value;

use super::{track::Track, view::View};
use crate::{
    kinds,
    model::{Exit, Image, Problem, Question, Reference, Reply},
};

/// How many manifests that nodes report instead of ours are asked for.
const ASKED: usize = 8;

/// How many new pods are proven to run an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Proof {
    pub image: Image,
    pub proven: usize,
    pub pods: usize,
}

/// An image that was deployed, and the ids of the containers in a new pod that are to run it.
struct Claim<'v> {
    image: &'v Image,
    ids: Vec<&'v str>,
}

fn claims<'v>(tracks: &'v [Track], view: &'v View) -> impl Iterator<Item = Claim<'v>> {
    let stays = |track: &&Track| track.watched.applied.id.kind != "Job";
    tracks.iter().filter(stays).flat_map(move |track| {
        let pods = || track.pods.iter().filter_map(|uid| view.by_uid(uid));
        let claim = |pod: &'v Value, image| Claim { image, ids: kinds::image_ids(pod, image) };
        let of_image = move |image| pods().map(move |pod| claim(pod, image));
        track.watched.images.iter().flat_map(of_image).filter(|claim| !claim.ids.is_empty())
    })
}

/// Of all new pods, those that are proven to run each image. A node that has several manifests of one configuration
/// reports any of them; what the registry told of it is in `replies`.
pub(super) fn proof(tracks: &[Track], view: &View, replies: &HashMap<Question, Reply>) -> Vec<Proof> {
    let mut proofs: Vec<Proof> = Vec::new();
    for Claim { image, ids } in claims(tracks, view) {
        let known = proofs.iter().position(|proof| proof.image == *image).unwrap_or_else(|| {
            proofs.push(Proof { image: image.clone(), proven: 0, pods: 0 });
            proofs.len() - 1
        });
        let is_same = |id: &str| match other(image, id).and_then(|other| replies.get(&Question::ImageContent(other))) {
            Some(Reply::Image(other)) => image.shares_content(other),
            _ => false,
        };
        proofs[known].pods += 1;
        proofs[known].proven += usize::from(ids.iter().all(|id| image.is_proven_by(id) || is_same(id)));
    }
    proofs
}

/// What may prove the pods that report another manifest than ours, each once.
pub(super) fn questions(tracks: &[Track], view: &View) -> Vec<Question> {
    let mut questions = Vec::new();
    for Claim { image, ids } in claims(tracks, view) {
        for other in ids.into_iter().filter_map(|id| other(image, id)) {
            let question = Question::ImageContent(other);
            if questions.len() < ASKED && !questions.contains(&question) {
                questions.push(question);
            }
        }
    }
    questions
}

/// The manifest that is reported instead of the one that was deployed by its digest.
fn other(image: &Image, id: &str) -> Option<Reference> {
    let is_known = image.reference.digest.is_some() && !image.platforms.is_empty();
    image.named_by(id).filter(|_| is_known && !image.is_proven_by(id))
}

/// A warning: what is deployed holds all the same.
pub(super) fn unconfirmed(proof: &Proof) -> Problem {
    let (proven, pods, image) = (proof.proven, proof.pods, proof.image.reference.short());
    let how = if proof.image.reference.digest.is_some() { "pinned, not confirmed" } else { "by tag only" };
    let text = format!("{proven} of {pods} pods are proven to run {image}: {how}");
    let problem = Problem::new("not-confirmed", Exit::Done, text);
    match proof.image.reference.digest {
        Some(_) => problem.hint("`shipway status` shows which images run"),
        None => problem.hint("`deploy.registry_check: true` in shipway.yaml pins the digest"),
    }
}
