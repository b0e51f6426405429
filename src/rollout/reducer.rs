//! The reducer: one input at a time, effects out. It owns all patience: grace, settling, timeouts, reminders.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    alike,
    conclusion::{Conclusion, TimeUp, entrances, problems, unseen},
    logs::Logs,
    proof::{proof, questions, unconfirmed},
    selections::{selections, selections_at_rest},
    settling::{trusted_from, window},
    track::{Surroundings, Track, is_starting, keep_failure, later, seconds_between},
    view::View,
};
use crate::{
    kinds,
    model::{LogSource, ObjectId, Progress, Question, Reply, RolloutEvent, Rules, Seen, Selection, Verdict, Watched},
};

/// Seconds between reminders of what is awaited.
const REMINDER: f64 = 30.0;
/// How many objects a reminder names.
const REMINDED: usize = 10;
/// Seconds that evidence (a log) may take once the verdict stands: a node under load takes its time.
const EVIDENCE: f64 = 10.0;
/// Seconds that the proof of the last pods may take.
const PROOF: f64 = 3.0;
/// Seconds after which the registry is asked again.
const ASK_AGAIN: f64 = 5.0;
/// Seconds that a watch which was cut is given to tell what it missed.
const CATCHING_UP: f64 = 1.0;
/// Seconds that a crash may be blamed on another workload that is still starting.
const OTHERS: f64 = 60.0;

/// What the outside tells.
#[derive(Debug)]
pub(crate) enum Input {
    Seen(Seen),
    Replied(Question, Reply),
    /// A moment asked for by [`Effect::WakeAt`] has come; also the first input.
    Tick,
}

/// What the outside is to do.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most effects are told, and none is kept")]
pub(crate) enum Effect {
    Say(RolloutEvent),
    Ask(Question),
    /// Show what this container writes, until it ends.
    ShowLog(LogSource),
    /// Send a tick then, unless another input comes first: each step says it anew.
    WakeAt(Timestamp),
    /// The end: nothing follows.
    Settled(Box<Conclusion>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Watching,
    /// All holds since then.
    Settling {
        since: Timestamp,
        endings: u32,
    },
    /// All held for long enough; what proves the last pods is awaited until then.
    Proving {
        until: Timestamp,
    },
    /// The verdict stands; evidence is awaited until then.
    Closing {
        until: Timestamp,
        time: bool,
    },
    Done,
}

/// Objects that were applied, watched until they hold or cannot.
#[derive(Debug)]
pub(crate) struct Rollout {
    rules: Rules,
    tracks: Vec<Track>,
    /// Ready because applied.
    plain: Vec<Watched>,
    view: View,
    /// Which of them a change of the view concerns.
    by_key: HashMap<String, Vec<usize>>,
    replies: HashMap<Question, Reply>,
    asked: HashMap<Question, Timestamp>,
    logs: Logs,
    phase: Phase,
    started: Timestamp,
    progressed: Timestamp,
    said: Timestamp,
    /// From then on what was seen is all there is: a watch that was cut has told what it missed.
    sees_from: Timestamp,
}

impl Rollout {
    /// A rollout of what was applied; `app` is the value of the label by which its parts are found.
    pub(crate) fn new(app: &str, watched: Vec<Watched>, rules: Rules, now: Timestamp) -> Self {
        Self::of(app, watched, (rules, now), selections)
    }

    /// The same for a deploy that found all of it as an earlier one proved it: one look at what runs is enough to settle.
    /// What stands behind a Service was proven when it was last changed.
    pub(crate) fn at_rest(app: &str, watched: Vec<Watched>, rules: Rules, now: Timestamp) -> Self {
        let mut rollout = Self::of(app, watched, (rules, now), selections_at_rest);
        for track in &mut rollout.tracks {
            track.backers.clear();
            track.aimless = false;
        }
        rollout
    }

    fn of(
        app: &str,
        watched: Vec<Watched>,
        (rules, now): (Rules, Timestamp),
        selections: fn(&str, &[Watched]) -> Vec<Selection>,
    ) -> Self {
        let written =
            |watched: &Watched| watched.applied.at.as_deref().and_then(|at| at.parse().ok()).unwrap_or_default();
        let renewed: Option<Timestamp> = watched.iter().filter(|watched| watched.changed).map(written).max();
        let (plain, judged): (Vec<_>, Vec<_>) = watched
            .into_iter()
            .partition(|watched| kinds::is_plain(&watched.applied.id.group, &watched.applied.id.kind));
        let view = View::new(selections(app, &judged)).keeping_ends();
        let tracks = Track::all(judged, renewed, now);
        Self {
            by_key: Track::by_key(&tracks),
            view,
            rules,
            tracks,
            plain,
            replies: HashMap::new(),
            asked: HashMap::new(),
            logs: Logs::default(),
            phase: Phase::Watching,
            started: now,
            progressed: now,
            said: now,
            sees_from: now,
        }
    }

    /// What was to be judged, for another rollout of it.
    pub(crate) fn give_back(self) -> Vec<Watched> {
        self.tracks.into_iter().map(|track| track.watched).chain(self.plain).collect()
    }

    /// What is known of each object by now.
    pub(crate) fn states(&self) -> Vec<(ObjectId, Verdict, Progress)> {
        let plain = self.plain.iter().map(|watched| (watched.applied.id.clone(), Verdict::Ready, Progress::default()));
        self.tracks.iter().map(Track::state).chain(plain).collect()
    }

    /// What has to be listed and watched.
    pub(crate) fn selections(&self) -> Vec<Selection> {
        self.view.selections().cloned().collect()
    }

    /// Takes in one input; `now` never runs backwards.
    pub(crate) fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        if self.phase == Phase::Done {
            return Vec::new();
        }
        let was_blind = self.view.is_blind();
        self.absorb(input);
        if was_blind && !self.view.is_blind() {
            self.sees_from = later(now, CATCHING_UP);
        }
        // nothing follows from what may have changed since, neither a failure nor success
        let sees = !self.view.is_blind() && now >= self.sees_from;
        let begun = self.logs.begun(&self.tracks, &self.view);
        let mut effects: Vec<Effect> = begun.into_iter().map(Effect::ShowLog).collect();
        // but what was asked for to explain a verdict that stands is of use all the same
        let closing = matches!(self.phase, Phase::Closing { .. });
        if (sees || closing) && self.view.is_complete() {
            self.judge(now, &mut effects);
        }
        if sees || closing || self.time_up(now).is_some() {
            self.decide(now, &mut effects);
        }
        if self.phase != Phase::Done {
            self.remind(now, &mut effects);
            self.wake(now, &mut effects);
        }
        effects
    }

    fn absorb(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Seen(seen) => {
                for key in self.view.absorb(seen) {
                    for index in self.by_key.get(&key).into_iter().flatten() {
                        self.tracks[*index].dirty = true;
                    }
                }
            }
            Input::Replied(question, reply) => {
                self.replies.insert(question, reply);
                self.tracks.iter_mut().filter(|track| !track.verdict.holds()).for_each(|track| track.dirty = true);
            }
        }
    }

    /// Looks at what has changed or whose time has come, and tells what is new.
    fn judge(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let closing = matches!(self.phase, Phase::Closing { .. });
        let explains = matches!(self.phase, Phase::Closing { time: true, .. });
        for index in 0..self.tracks.len() {
            let track = &mut self.tracks[index];
            let due = track.due.is_some_and(|due| due <= now);
            if !(due || track.dirty && (closing || track.rests_until <= now)) {
                continue;
            }
            let before = closing.then(|| track.verdict.clone());
            let around = Surroundings {
                view: &self.view,
                replies: &self.replies,
                rules: &self.rules,
                now,
                started: self.started,
                closing: explains,
            };
            if track.look(around) {
                self.progressed = now;
            }
            if let Some(before) = before {
                keep_failure(track, before);
            }
            self.tell(index, now, effects);
        }
        self.ask(now, effects);
    }

    fn tell(&mut self, index: usize, now: Timestamp, effects: &mut Vec<Effect>) {
        let track = &mut self.tracks[index];
        // a suspicion is told although what it may become is known already
        let word = if matches!(track.verdict, Verdict::Suspect { .. }) { "suspect" } else { track.verdict.word() };
        let news = (word, track.verdict.problem().map(|problem| problem.code), track.progress.clone());
        if track.said.as_ref() != Some(&news) {
            track.said = Some(news);
            self.said = now;
            effects.push(Effect::Say(RolloutEvent::Changed {
                object: track.watched.applied.id.clone(),
                verdict: track.verdict.clone(),
                progress: track.progress.clone(),
                seconds: seconds_between(self.started, now),
            }));
        }
        effects.extend(std::mem::take(&mut track.steps).into_iter().map(Effect::Say));
        for problem in std::mem::take(&mut track.warnings) {
            if track.warned.insert((problem.code, problem.text.clone())) {
                effects.push(Effect::Say(RolloutEvent::Warning { problem }));
            }
        }
    }

    /// Each question once; the registry again while a pod still cannot get its image.
    fn ask(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let mut open: Vec<Question> = self.tracks.iter().flat_map(|track| track.questions.iter().cloned()).collect();
        for index in alike::speakers(&self.tracks, |_| true) {
            let track = &mut self.tracks[index];
            track.speaks |= !track.logs.is_empty();
            open.extend(track.logs.iter().cloned());
        }
        open.retain(|question| !self.asked.contains_key(question));
        let suspects = self.tracks.iter().any(|track| matches!(track.verdict, Verdict::Suspect { .. }));
        if suspects {
            let again = self.asked.iter().filter(|(question, asked)| {
                let unsure = matches!(self.replies.get(question), Some(Reply::ImageMissing | Reply::ImageUnknown(_)));
                unsure && later(**asked, ASK_AGAIN) <= now
            });
            open.extend(again.map(|(question, _)| question.clone()));
        }
        for question in open {
            if self.asked.insert(question.clone(), now).is_none_or(|asked| asked < now) {
                effects.push(Effect::Ask(question));
            }
        }
    }

    fn decide(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Closing { until, time } => {
                if now >= until || !self.awaits_evidence(time) {
                    self.finish(now, time, effects);
                }
            }
            _ if self.tracks.iter().any(|track| self.is_final(track, now)) => self.close(now, false, effects),
            Phase::Watching | Phase::Settling { .. } if self.time_up(now).is_some() => self.close(now, true, effects),
            Phase::Settling { since, endings } => self.settle(now, since, endings, effects),
            Phase::Watching
                if self.view.is_complete() && self.tracks.iter().all(|track| track.verdict.holds() && !track.dirty) =>
            {
                if self.needs_settling() {
                    effects
                        .push(Effect::Say(RolloutEvent::Settling { seconds: window(&self.tracks, self.rules.settle) }));
                    self.phase = Phase::Settling { since: now, endings: self.endings() };
                    self.ask_for_proof(now, effects);
                } else {
                    self.prove(now, effects);
                }
            }
            Phase::Proving { until } => {
                if !self.tracks.iter().all(|track| track.verdict.holds()) {
                    self.phase = Phase::Watching;
                } else if now >= until || !self.ask_for_proof(now, effects) {
                    self.finish(now, false, effects);
                }
            }
            Phase::Watching | Phase::Done => {}
        }
    }

    fn settle(&mut self, now: Timestamp, since: Timestamp, endings: u32, effects: &mut Vec<Effect>) {
        if !self.tracks.iter().all(|track| track.verdict.holds()) {
            self.phase = Phase::Watching;
        } else if self.endings() > endings {
            self.phase = Phase::Settling { since: now, endings: self.endings() };
        } else if now >= trusted_from(&self.tracks, self.rules.settle, since)
            && self.tracks.iter().all(|track| !track.dirty)
        {
            self.prove(now, effects);
        }
    }

    /// Ends well, once it is known what nodes report.
    fn prove(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.ask_for_proof(now, effects) {
            self.phase = Phase::Proving { until: later(now, PROOF) };
        } else {
            self.finish(now, false, effects);
        }
    }

    /// True where a reply is awaited.
    fn ask_for_proof(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let mut open = questions(&self.tracks, &self.view);
        open.retain(|question| !self.replies.contains_key(question));
        for question in &open {
            if self.asked.insert(question.clone(), now).is_none() {
                effects.push(Effect::Ask(question.clone()));
            }
        }
        !open.is_empty()
    }

    /// Only pods that have not shown yet that they stay up can still fall over.
    fn needs_settling(&self) -> bool {
        let runs = |track: &Track| {
            !track.watched.settled && track.progress.wanted > 0 && track.watched.applied.id.kind != "Job"
        };
        self.rules.settle > 0.0 && self.tracks.iter().any(runs)
    }

    fn endings(&self) -> u32 {
        self.tracks.iter().map(|track| track.endings).fold(0, u32::saturating_add)
    }

    /// A failure stands, but a crash is forgiven while another workload that may be needed is still starting.
    fn is_final(&self, track: &Track, now: Timestamp) -> bool {
        match &track.verdict {
            Verdict::Gone { .. } => true,
            Verdict::Failed { problem } if matches!(problem.code, "crash-loop" | "init-failed") => {
                let since = track.since.map_or(now, |(_, since)| since);
                now >= later(since, OTHERS) || !self.tracks.iter().any(is_starting)
            }
            Verdict::Failed { .. } => true,
            _ => false,
        }
    }

    /// The verdict stands: what explains it is gathered.
    fn close(&mut self, now: Timestamp, time: bool, effects: &mut Vec<Effect>) {
        self.phase = Phase::Closing { until: later(now, EVIDENCE), time };
        if self.view.is_complete() {
            for track in self.tracks.iter_mut().filter(|track| time && !track.verdict.holds()) {
                track.dirty = true;
            }
            self.judge(now, effects);
        }
        if !self.awaits_evidence(time) {
            self.finish(now, time, effects);
        }
    }

    /// Of what is told in the end, something still waits for a reply.
    fn awaits_evidence(&self, time: bool) -> bool {
        let fails = |track: &Track| matches!(track.verdict, Verdict::Failed { .. } | Verdict::Gone { .. });
        let tells = |track: &Track| if time { !track.verdict.holds() } else { fails(track) };
        let speakers = alike::speakers(&self.tracks, tells);
        let logs = speakers.iter().flat_map(|index| &self.tracks[*index].logs);
        let questions = self.tracks.iter().filter(|track| tells(track)).flat_map(|track| &track.questions);
        let mut awaited = questions.chain(logs);
        awaited.any(|question| !self.replies.contains_key(question))
    }

    fn finish(&mut self, now: Timestamp, timed_out: bool, effects: &mut Vec<Effect>) {
        self.phase = Phase::Done;
        let proof = proof(&self.tracks, &self.view, &self.replies);
        let unproven = proof.iter().filter(|proof| proof.proven < proof.pods).map(unconfirmed);
        effects.extend(unproven.map(|problem| Effect::Say(RolloutEvent::Warning { problem })));
        let time = self.time_up(now).unwrap_or(TimeUp { timed_out, after: 0.0, without_progress: false });
        let mut problems = problems(&self.tracks, &TimeUp { timed_out, ..time });
        if timed_out && !self.view.is_complete() {
            problems.insert(0, unseen(&self.view, &time));
        }
        let (states, entrances) = (self.states(), entrances(&self.tracks, &self.view));
        effects.push(Effect::Settled(Box::new(Conclusion { states, problems, proof, entrances })));
    }

    fn time_up(&self, now: Timestamp) -> Option<TimeUp> {
        let (still, all) = (seconds_between(self.progressed, now), seconds_between(self.started, now));
        if still >= self.rules.timeout {
            Some(TimeUp { timed_out: true, after: still, without_progress: true })
        } else {
            (all >= self.rules.max_time).then_some(TimeUp { timed_out: true, after: all, without_progress: false })
        }
    }

    fn remind(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if now < later(self.said, REMINDER) || matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        self.said = now;
        let seconds = seconds_between(self.started, now);
        let mut waiting: Vec<&Track> = self.tracks.iter().filter(|track| !track.verdict.holds()).collect();
        // a Service waits for a workload that is named then, too
        waiting.sort_by_key(|track| !track.backers.is_empty());
        effects.extend(waiting.into_iter().take(REMINDED).map(|track| {
            let (object, progress) = (track.watched.applied.id.clone(), track.progress.clone());
            Effect::Say(RolloutEvent::Waiting { object, progress, seconds })
        }));
    }

    /// The next moment at which something follows from time alone.
    fn wake(&self, now: Timestamp, effects: &mut Vec<Effect>) {
        let mut moments = vec![
            later(self.progressed, self.rules.timeout),
            later(self.started, self.rules.max_time),
            later(self.said, REMINDER),
            self.sees_from,
        ];
        match self.phase {
            Phase::Settling { since, .. } => moments.push(trusted_from(&self.tracks, self.rules.settle, since)),
            Phase::Closing { until, .. } | Phase::Proving { until } => moments.push(until),
            Phase::Watching | Phase::Done => {}
        }
        for track in &self.tracks {
            moments.extend(track.due);
            moments.extend(track.dirty.then_some(track.rests_until));
            if let (Verdict::Failed { .. }, Some((_, since))) = (&track.verdict, track.since) {
                moments.push(later(since, OTHERS));
            }
            if matches!(track.verdict, Verdict::Suspect { .. }) && !self.asked.is_empty() {
                moments.push(later(now, ASK_AGAIN));
            }
        }
        let next = moments.into_iter().filter(|moment| *moment > now).min();
        effects.extend(next.map(Effect::WakeAt));
    }
}
