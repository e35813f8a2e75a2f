//! What is wrong now, and what the user has been told of it. Pure.
//!
//! Alerts tell states and not events. For each subject it is kept whether it is well and what the
//! user was told last; an alert is due when the two differ. So nothing piles up while an alert
//! cannot be sent, and a remote that comes and goes causes no more alerts than allowed. `Alerts`
//! owns it.

use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::engine::RemoteId;
use crate::sorted::SortedMap;
use std::collections::VecDeque;

/// So many alerts of one subject in [`WINDOW_MS`]; after that the next one waits, and is not sent if
/// by then everything is as the user knows it.
pub const ALERTS_MAX: usize = 6;
/// Ten minutes: one alert in two minutes is what a person can bear.
pub const WINDOW_MS: u64 = 600_000;

/// What an alert can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A remote, by its place in the configuration: down or back.
    Remote(usize),
    /// A root, by its place: halted or resumed.
    Root(usize),
    /// The deletions on a remote, by its place: they wait for a yes, or do not any more.
    Deletions(usize),
    /// The fail log: something is owed, or everything is paid.
    FailLog,
}

impl Subject {
    /// The word for its state.
    pub fn word(self, is_well: bool) -> &'static str {
        match (self, is_well) {
            (Subject::Remote(_), false) => "down",
            (Subject::Remote(_), true) => "back",
            (Subject::Root(_), false) => "halted",
            (Subject::Root(_), true) => "resumed",
            (Subject::Deletions(_), false) => "asks",
            (Subject::Deletions(_), true) => "settled",
            (Subject::FailLog, false) => "owed",
            (Subject::FailLog, true) => "paid",
        }
    }
}

/// Something that the user is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// About what.
    pub subject: Subject,
    /// It is well again.
    pub is_well: bool,
    /// What happened, in a line.
    pub message: String,
}

/// How a subject is, and what the user was told of it last.
#[derive(Debug)]
struct SubjectState {
    is_well: bool,
    said_well: bool,
    /// When it stopped to be well; counts while it is not.
    since: Time,
    message: String,
    /// Of the last alerts, at most [`ALERTS_MAX`].
    sent: VecDeque<Time>,
}

impl SubjectState {
    fn new() -> SubjectState {
        let (since, message) = (Time(0), String::new());
        SubjectState { is_well: true, said_well: true, since, message, sent: VecDeque::new() }
    }

    /// When the user is to be told, if there is something to tell.
    fn due(&self, after_ms: u64) -> Option<Time> {
        if self.is_well == self.said_well {
            return None;
        }
        let lasting = if self.is_well { Time(0) } else { self.since + after_ms };
        let oldest = self.sent.front().filter(|_| self.sent.len() == ALERTS_MAX);
        Some(lasting.max(oldest.map_or(Time(0), |&at| at + WINDOW_MS)))
    }
}

/// All subjects that were ever not well.
#[derive(Debug)]
pub struct States {
    /// How long a remote has to be down before the user is told.
    after_ms: u64,
    subjects: SortedMap<Subject, SubjectState>,
}

impl States {
    /// Everything is well.
    pub fn new(after_ms: u64) -> States {
        States { after_ms, subjects: SortedMap::new() }
    }

    /// The remotes have become others; of those that have been taken out there is nothing to tell.
    pub fn change_remotes(&mut self, succession: &Succession) {
        let after = |remote| succession.after(RemoteId(remote)).map(|remote| remote.0);
        let follow = |subject| match subject {
            Subject::Remote(remote) => after(remote).map(Subject::Remote),
            Subject::Deletions(remote) => after(remote).map(Subject::Deletions),
            Subject::Root(_) | Subject::FailLog => Some(subject),
        };
        let subjects = std::mem::take(&mut self.subjects).into_iter();
        self.subjects =
            subjects.filter_map(|(subject, state)| Some((follow(subject)?, state))).collect();
    }

    /// Something is not looked at any more.
    pub fn forget(&mut self, subject: Subject) {
        self.subjects.remove(&subject);
    }

    /// Something is not well; said again, only the first time counts.
    pub fn fails(&mut self, subject: Subject, now: Time, message: impl FnOnce() -> String) {
        let state = self.subjects.entry(subject).or_insert(SubjectState::new());
        if state.is_well {
            (state.is_well, state.since, state.message) = (false, now, message());
        }
    }

    /// Something is well, or well again.
    pub fn works(&mut self, subject: Subject, message: impl FnOnce() -> String) {
        let state = self.subjects.get_mut(&subject).filter(|state| !state.is_well);
        if let Some(state) = state {
            (state.is_well, state.message) = (true, message());
        }
    }

    /// When [`States::take`] has something to give; `None` if nothing waits to be told.
    pub fn due(&self) -> Option<Time> {
        self.subjects.iter().filter_map(|(subject, state)| state.due(self.pause_ms(*subject))).min()
    }

    /// The alert that is due first.
    pub fn take(&mut self, now: Time) -> Option<Alert> {
        let due = |(subject, state): (&Subject, &SubjectState)| {
            state.due(self.pause_ms(*subject)).filter(|due| *due <= now).map(|due| (due, *subject))
        };
        let (_, subject) = self.subjects.iter().filter_map(due).min()?;
        let state = self.subjects.get_mut(&subject)?;
        state.said_well = state.is_well;
        state.sent.push_back(now);
        if state.sent.len() > ALERTS_MAX {
            state.sent.pop_front();
        }
        Some(Alert { subject, is_well: state.is_well, message: state.message.clone() })
    }

    /// A halted root and a debt are told at once: they do not pass by themselves in a moment, as a
    /// failure of a remote may.
    fn pause_ms(&self, subject: Subject) -> u64 {
        match subject {
            Subject::Remote(_) => self.after_ms,
            Subject::Root(_) | Subject::Deletions(_) | Subject::FailLog => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: Subject = Subject::Remote(3);

    fn states() -> States {
        States::new(60_000)
    }

    fn words(states: &mut States, now: u64) -> Vec<&'static str> {
        let alerts = std::iter::from_fn(|| states.take(Time(now)));
        alerts.map(|alert| alert.subject.word(alert.is_well)).collect()
    }

    #[test]
    fn a_remote_is_told_of_when_it_has_been_down_for_long_enough() {
        let mut states = states();
        states.fails(REMOTE, Time(5), || "why".into());
        states.fails(REMOTE, Time(9), || "another reason".into());
        assert_eq!(states.due(), Some(Time(60_005)));
        assert_eq!(states.take(Time(60_004)), None);
        let alert = Alert { subject: REMOTE, is_well: false, message: "why".into() };
        assert_eq!(states.take(Time(60_005)), Some(alert));
        assert_eq!((states.due(), states.take(Time(99_999))), (None, None), "once");
        states.works(REMOTE, || "back".into());
        assert_eq!(words(&mut states, 60_006), ["back"]);
        assert_eq!(states.due(), None);
    }

    #[test]
    fn what_is_well_before_it_was_told_of_is_not_told_of() {
        let mut states = states();
        states.works(REMOTE, || "never was down".into());
        states.fails(REMOTE, Time(5), || "why".into());
        states.works(REMOTE, || "back".into());
        assert_eq!((states.due(), words(&mut states, 999_999)), (None, vec![]));
    }

    #[test]
    fn halts_and_debts_are_told_of_at_once() {
        let mut states = states();
        states.fails(Subject::FailLog, Time(2), || "b".into());
        states.fails(Subject::Root(0), Time(1), || "a".into());
        assert_eq!(words(&mut states, 2), ["halted", "owed"]);
        states.works(Subject::FailLog, || "b".into());
        states.works(Subject::Root(0), || "a".into());
        assert_eq!(words(&mut states, 3), ["resumed", "paid"]);
    }

    #[test]
    fn what_comes_and_goes_is_told_of_now_and_then_and_the_last_state_is_told() {
        let mut states = states();
        let mut told = Vec::new();
        for second in 0..590 {
            let now = Time(second * 1000);
            if second % 2 == 0 {
                states.fails(Subject::FailLog, now, || "x".into());
            } else {
                states.works(Subject::FailLog, || "y".into());
            }
            told.extend(words(&mut states, second * 1000));
        }
        assert_eq!(told, ["owed", "paid", "owed", "paid", "owed", "paid"]);
        states.fails(Subject::FailLog, Time(590_000), || "x".into());
        assert_eq!(states.due(), Some(Time(WINDOW_MS)));
        assert_eq!(words(&mut states, WINDOW_MS), ["owed"]);
    }
}
