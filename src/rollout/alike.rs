//! Findings that are alike are told as one, with the log of one pod: only that is read.

use std::collections::HashMap;

use super::track::Track;
use crate::model::{Evidence, Problem};

/// What findings that are alike share: code, and text without the object that it begins with.
fn key(problem: &Problem) -> (&'static str, &str) {
    let object = problem.object.as_ref().map(ToString::to_string).unwrap_or_default();
    (problem.code, problem.text.strip_prefix(&object).unwrap_or(&problem.text))
}

fn has_log(problem: &Problem) -> bool {
    problem.evidence.iter().any(|evidence| evidence.label == "last log")
}

/// Whose logs are to be read, of those that will be told: of findings alike that of the track which was asked before, else
/// of the first.
pub(super) fn speakers(tracks: &[Track], tells: impl Fn(&Track) -> bool) -> Vec<usize> {
    let mut speakers = Vec::new();
    let mut alike: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (index, track) in tracks.iter().enumerate().filter(|(_, track)| tells(track)) {
        match track.verdict.problem() {
            Some(problem) => alike.entry(key(problem)).or_default().push(index),
            None => speakers.push(index),
        }
    }
    for group in alike.into_values() {
        let asked = group.iter().find(|index| tracks[**index].speaks);
        let first = || group.iter().find(|index| !tracks[**index].logs.is_empty());
        speakers.extend(asked.or_else(first));
    }
    speakers.sort_unstable();
    speakers
}

/// Each cause once, with how many there are of it and whose they are; in its place stands the finding that has a log.
pub(super) fn folded(found: impl Iterator<Item = Problem>) -> Vec<Problem> {
    let mut alike: Vec<Vec<Problem>> = Vec::new();
    for problem in found {
        match alike.iter_mut().find(|group| key(&group[0]) == key(&problem)) {
            Some(group) => group.push(problem),
            None => alike.push(vec![problem]),
        }
    }
    alike.into_iter().map(one_of).collect()
}

fn one_of(mut alike: Vec<Problem>) -> Problem {
    let lead = alike.iter().position(has_log).unwrap_or(0);
    let mut told = alike.remove(lead);
    told.count += alike.iter().map(|other| other.count).sum::<usize>();
    let names = alike.iter().map(|other| other.object.as_ref().map(ToString::to_string).unwrap_or_default());
    told.with(Evidence::new("also", names))
}
