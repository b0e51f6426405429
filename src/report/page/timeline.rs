//! Pods as bars over time.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::document::Text;
use crate::model::{ObjectId, PodStep, RolloutEvent, Verdict};

/// What a pod is doing, by the step it took last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    Pulling,
    Starting,
    Running,
    Ready,
    Down,
    Leaving,
}

impl State {
    /// The class of its bar, which is also its word in the legend.
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Waiting, "waiting", "not scheduled"),
        (Self::Pulling, "pulling", "set up, pulling"),
        (Self::Starting, "starting", "image there, starting"),
        (Self::Running, "running", "runs, not ready"),
        (Self::Ready, "ready", "ready"),
        (Self::Down, "down", "down after an exit"),
        (Self::Leaving, "leaving", "ending"),
    ];

    fn after(step: PodStep) -> Option<Self> {
        match step {
            PodStep::Created => Some(Self::Waiting),
            PodStep::Scheduled => Some(Self::Pulling),
            PodStep::Pulled => Some(Self::Starting),
            PodStep::Started | PodStep::Restarted => Some(Self::Running),
            PodStep::Ready => Some(Self::Ready),
            PodStep::Ended => Some(Self::Down),
            PodStep::Leaving => Some(Self::Leaving),
            PodStep::Gone => None,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or(("", ""), |(_, class, word)| (class, word))
    }
}

struct Pod {
    name: String,
    /// In the order of time.
    steps: Vec<(Timestamp, PodStep)>,
}

struct Workload {
    object: ObjectId,
    verdict: &'static str,
    pods: Vec<Pod>,
}

#[derive(Default)]
pub(super) struct Timeline {
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    workloads: Vec<Workload>,
}

/// Rows of one workload; the rest is counted.
const MOST_PODS: usize = 60;

impl Timeline {
    pub(super) fn take(&mut self, at: Timestamp, event: &RolloutEvent) {
        match event {
            RolloutEvent::Changed { object, verdict, .. } => self.workload(object).verdict = Verdict::word(verdict),
            RolloutEvent::Pod { object, pod, step, time } => self.step(object, pod, (*time, *step)),
            RolloutEvent::Settling { .. } | RolloutEvent::Proof { .. } | RolloutEvent::Waiting { .. } => {}
            RolloutEvent::Log { .. } | RolloutEvent::Warning { .. } => return,
        }
        self.began.get_or_insert(at);
        self.ended = Some(at);
    }

    fn workload(&mut self, object: &ObjectId) -> &mut Workload {
        let known = self.workloads.iter().position(|workload| workload.object == *object).unwrap_or_else(|| {
            self.workloads.push(Workload { object: object.clone(), verdict: "waiting", pods: Vec::new() });
            self.workloads.len() - 1
        });
        &mut self.workloads[known]
    }

    fn step(&mut self, object: &ObjectId, name: &str, step: (Timestamp, PodStep)) {
        let workload = self.workload(object);
        let known = workload.pods.iter().position(|pod| pod.name == name).unwrap_or_else(|| {
            workload.pods.push(Pod { name: name.to_owned(), steps: Vec::new() });
            workload.pods.len() - 1
        });
        let steps = &mut workload.pods[known].steps;
        steps.push(step);
        steps.sort();
    }

    /// Nothing where no pod was seen.
    pub(super) fn html(&self, text: Text<'_>) -> String {
        let (Some(began), Some(ended)) = (self.began, self.ended) else { return String::new() };
        let window = Window { began, seconds: seconds(began, ended).max(1.0) };
        let mut html = String::new();
        for workload in self.workloads.iter().filter(|workload| !workload.pods.is_empty()) {
            let (name, verdict) = (text(&workload.object.to_string()), workload.verdict);
            let _ = write!(
                html,
                "<h3>{name} <span class=\"verdict {verdict}\">{verdict}</span></h3>\n<ol class=\"pods\">\n"
            );
            html.extend(workload.pods.iter().take(MOST_PODS).map(|pod| pod.html(&window, text)));
            if workload.pods.len() > MOST_PODS {
                let _ = writeln!(html, "<li>and {} more</li>", workload.pods.len() - MOST_PODS);
            }
            html.push_str("</ol>\n");
        }
        if html.is_empty() {
            return html;
        }
        format!("<section>\n<h2>Pods</h2>\n{}{html}{}</section>\n", window.axis(), legend())
    }
}

/// The time that is drawn.
struct Window {
    began: Timestamp,
    seconds: f64,
}

impl Window {
    /// Percent of the width.
    fn place(&self, time: Timestamp) -> f64 {
        (seconds(self.began, time) / self.seconds * 100.0).clamp(0.0, 100.0)
    }

    fn axis(&self) -> String {
        let tick = |part: u32| format!("<span>{:.1} s</span>", self.seconds * f64::from(part) / 4.0);
        format!("<p class=\"axis\" aria-hidden=\"true\">{}</p>\n", (0..=4).map(tick).collect::<String>())
    }
}

impl Pod {
    fn html(&self, window: &Window, text: Text<'_>) -> String {
        let mut bars = String::new();
        for (number, (time, step)) in self.steps.iter().enumerate() {
            let Some(state) = State::after(*step) else { continue };
            let from = window.place(*time);
            let to = self.steps.get(number + 1).map_or(100.0, |(next, _)| window.place(*next));
            let (class, word) = state.words();
            if to > from {
                let width = to - from;
                let _ = write!(
                    bars,
                    "<i class=\"{class}\" style=\"left:{from:.2}%;width:{width:.2}%\" title=\"{word}\"></i>"
                );
            }
        }
        let told: Vec<String> = self.steps.iter().map(|(time, step)| window.said(*time, *step)).collect();
        let (name, told) = (text(&self.name), text(&told.join(", ")));
        format!(
            "<li><span class=\"name\">{name}</span><span class=\"bar\" role=\"img\" aria-label=\"{told}\">{bars}</span></li>\n"
        )
    }
}

impl Window {
    /// `ready at 3.2 s`, or that it was so before.
    fn said(&self, time: Timestamp, step: PodStep) -> String {
        let word = step.word();
        let after = seconds(self.began, time);
        if after < 0.0 { format!("{word} before") } else { format!("{word} at {after:.1} s") }
    }
}

fn legend() -> String {
    let entry = |(_, class, word): &(State, &str, &str)| format!("<span><i class=\"{class}\"></i> {word}</span>");
    format!("<p class=\"legend\">{}</p>\n", State::ALL.iter().map(entry).collect::<String>())
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
