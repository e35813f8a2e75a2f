//! Which remotes of another configuration were there before: what is kept for each remote moves to its new place.

use super::RemoteId;

/// For each remote of the next configuration, which one it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession(Vec<Option<RemoteId>>);

impl Succession {
    /// By what they are called; of two that are called the same, each follows one.
    pub fn of<Name: PartialEq>(before: &[Name], after: &[Name]) -> Succession {
        let mut left: Vec<_> = before.iter().enumerate().collect();
        let follow = |name: &Name| {
            let at = left.iter().position(|(_, other)| *other == name)?;
            Some(RemoteId(left.remove(at).0))
        };
        Succession(after.iter().map(follow).collect())
    }

    /// Which one each remote was, in the order of the next configuration.
    pub fn iter(&self) -> impl Iterator<Item = Option<RemoteId>> + '_ {
        self.0.iter().copied()
    }

    /// What a remote is now; `None` if it has been taken out.
    pub fn after(&self, before: RemoteId) -> Option<RemoteId> {
        self.0.iter().position(|it| *it == Some(before)).map(RemoteId)
    }

    /// What was kept for each remote, in the new order, with something `new` for each new one.
    pub fn carry<T>(&self, before: Vec<T>, mut new: impl FnMut() -> T) -> Vec<T> {
        let mut before: Vec<_> = before.into_iter().map(Some).collect();
        let mut carried = |id: RemoteId| before.get_mut(id.0).and_then(Option::take);
        self.iter().map(|id| id.and_then(&mut carried).unwrap_or_else(&mut new)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_follows_its_remote() {
        let succession = Succession::of(&["a", "b", "b", "c"], &["c", "d", "b", "a", "b", "b"]);
        let ids = [Some(3), None, Some(1), Some(0), Some(2), None].map(|id| id.map(RemoteId));
        assert_eq!(succession.iter().collect::<Vec<_>>(), ids);
        assert_eq!(succession.carry(vec![0, 1, 2, 3], || 9), [3, 9, 1, 0, 2, 9]);
        assert_eq!(succession.after(RemoteId(3)), Some(RemoteId(0)));
        let succession = Succession::of(&["a", "b"], &["b"]);
        assert_eq!(succession.after(RemoteId(0)), None);
        assert_eq!(succession.carry(vec![0, 1], || 9), [1]);
    }
}
