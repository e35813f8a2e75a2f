//! A map and a set that are kept in order in one piece of memory.
//!
//! For what is small, or filled once: putting one in moves all that come behind it. What grows to
//! hundreds of thousands while it is searched is for std's `BTreeMap`, whose code is made anew, some
//! 4 KB of it, for each kind of key and value; this has a tenth of that.

use std::borrow::Borrow;

/// Keys, each once and in order, with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap { entries: Vec::new() }
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// An empty one, which has no memory yet.
    pub const fn new() -> Self {
        SortedMap { entries: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &self.entries[at].1)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &mut self.entries[at].1)
    }

    /// Puts a value in the place of the one that the key has, if it has one.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// The place of a key, with or without a value.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { place: self.place(&key), key, entries: &mut self.entries }
    }

    /// Takes a key's value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| self.entries.remove(at).1)
    }

    /// Takes out what is first.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.is_empty()).then(|| self.entries.remove(0))
    }

    /// Takes out whatever `is_kept` does not want to be kept.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| is_kept(key, value));
    }

    /// All, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + Clone {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + Clone {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + Clone {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The values alone, in the order of their keys.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.entries.into_iter().map(|(_, value)| value)
    }
}

/// The place of a key in a map, as std's map has it.
pub struct Entry<'a, K, V> {
    entries: &'a mut Vec<(K, V)>,
    key: K,
    place: Result<usize, usize>,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The value that the key has, or else gets.
    pub fn or_insert(self, value: V) -> &'a mut V {
        let at = match self.place {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(at, (self.key, value));
                at
            }
        };
        &mut self.entries[at].1
    }

    /// The same with the usual value.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert(V::default())
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    /// Of entries with the same key, the last one counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        SortedMap { entries }
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// Keys, each once and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedSet<K> {
    keys: SortedMap<K, ()>,
}

impl<K> Default for SortedSet<K> {
    fn default() -> Self {
        SortedSet { keys: SortedMap::default() }
    }
}

impl<K: Ord> SortedSet<K> {
    /// An empty one, which has no memory yet.
    pub const fn new() -> Self {
        SortedSet { keys: SortedMap::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.keys.clear();
    }

    /// Whether a key is there.
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.keys.get(key).is_some()
    }

    /// Puts one in; gives whether it is new.
    pub fn insert(&mut self, key: K) -> bool {
        let before = self.len();
        self.keys.insert(key, ());
        self.len() > before
    }

    /// All, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &K> + Clone {
        self.keys.keys()
    }
}

impl<K: Ord> Extend<K> for SortedSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| {
            self.insert(key);
        });
    }
}

impl<K: Ord, const N: usize> From<[K; N]> for SortedSet<K> {
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K: Ord> FromIterator<K> for SortedSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        SortedSet { keys: keys.into_iter().map(|key| (key, ())).collect() }
    }
}

impl<K> IntoIterator for SortedSet<K> {
    type Item = K;
    type IntoIter = std::iter::Map<std::vec::IntoIter<(K, ())>, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter().map(|(key, ())| key)
    }
}

#[cfg(test)]
mod tests {
    use super::{SortedMap, SortedSet};
    use std::collections::BTreeMap;

    #[test]
    fn it_does_what_a_btreemap_does() {
        let (mut ours, mut theirs) = (SortedMap::new(), BTreeMap::new());
        // Numbers that come again, in no order.
        let mut number = 1_u32;
        for step in 0..2_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = number >> 24;
            match step % 4 {
                0 => assert_eq!(ours.remove(&key), theirs.remove(&key)),
                1 => {
                    ours.insert(key, step);
                    theirs.insert(key, step);
                }
                2 => assert_eq!(ours.entry(key).or_insert(step), theirs.entry(key).or_insert(step)),
                _ => assert_eq!(ours.get_mut(&key), theirs.get_mut(&key)),
            }
            assert!(ours.iter().eq(theirs.iter()));
        }
        ours.retain(|key, value| key % 2 == 0 && value % 3 > 0);
        theirs.retain(|key, value| *key % 2 == 0 && *value % 3 > 0);
        assert!(!ours.is_empty() && ours.into_iter().eq(theirs));
    }

    #[test]
    fn what_is_collected_is_in_order_and_the_last_one_counts() {
        let entries = [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (3, 'e'), (1, 'f')];
        let ours: SortedMap<_, _> = entries.into_iter().collect();
        assert!(ours.into_iter().eq(BTreeMap::from(entries)));
        let mut set: SortedSet<_> = ["b", "a"].into();
        set.extend(["b"]);
        assert!(set.insert("c") && !set.insert("a") && set.contains("b") && !set.contains("d"));
        assert_eq!(set.into_iter().collect::<String>(), "abc");
    }
}
