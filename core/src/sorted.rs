//! Maps and sets of few items as sorted lists. Each type that uses a tree of the standard library adds 8 KB to the
//! download of a phone. Inserting takes linear time, except at the end.

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// A map of few keys, ascending.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map<K, V>(Vec<(K, V)>);

/// A set of few items, ascending. Encoded as a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Set<T>(Map<T, ()>);

impl<K: Ord, V> Map<K, V> {
    pub(crate) fn new() -> Map<K, V> {
        Map(Vec::new())
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (key, value)),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place(key).ok().map(|place| &mut self.0[place].1)
    }

    /// Returns the value of a key; makes it if there is none.
    pub(crate) fn or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.0.insert(place, (key, make()));
            place
        });
        &mut self.0[place].1
    }

    /// Returns the value of a key; inserts the default value if there is none.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.or_insert_with(key, V::default)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.place(key).ok().map(|place| self.0.remove(place).1)
    }

    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keeps(key, value));
    }

    /// Removes the matching entries and returns their keys.
    pub(crate) fn take_if(&mut self, mut is_taken: impl FnMut(&V) -> bool) -> Vec<K>
    where
        K: Copy,
    {
        let taken = self.0.iter().filter(|(_, value)| is_taken(value)).map(|(key, _)| *key).collect::<Vec<K>>();
        self.0.retain(|(key, _)| !taken.contains(key));
        taken
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_iter().map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, items: I) {
        items.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Map<K, V> {
        Map(Vec::new())
    }
}

impl<T: Ord> Set<T> {
    pub(crate) fn new() -> Set<T> {
        Set(Map::new())
    }

    /// Inserts an item; returns whether it is new.
    pub(crate) fn insert(&mut self, item: T) -> bool {
        let place = self.0.place(&item);
        if let Err(place) = place {
            self.0.0.insert(place, (item, ()));
        }
        place.is_err()
    }

    pub(crate) fn contains(&self, item: &T) -> bool {
        self.0.place(item).is_ok()
    }

    pub(crate) fn get(&self, item: &T) -> Option<&T> {
        self.0.place(item).ok().map(|place| &self.0.0[place].0)
    }

    /// Removes an item; returns whether it was present.
    pub(crate) fn remove(&mut self, item: &T) -> bool {
        self.0.remove(item).is_some()
    }

    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&T) -> bool) {
        self.0.retain(|item, ()| keeps(item));
    }

    /// Takes out all that are to be taken, ascending.
    pub(crate) fn take_where(&mut self, is_taken: impl Fn(&T) -> bool) -> Vec<T> {
        let (taken, left) = self.take().into_iter().partition(is_taken);
        let left: Vec<T> = left;
        self.extend(left);
        taken
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.0.iter().map(|(item, ())| item)
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.0.0.first().map(|(item, ())| item)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.0.clear();
    }

    /// Removes and returns all items.
    pub(crate) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.0).0.into_iter().map(|(item, ())| item).collect()
    }
}

impl<T> Default for Set<T> {
    fn default() -> Set<T> {
        Set(Map::default())
    }
}

impl<T: Ord> Extend<T> for Set<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.insert(item);
        }
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Set<T> {
        let mut set = Set::new();
        set.extend(items);
        set
    }
}

impl<T: Encode<C>, C> Encode<C> for Set<T> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, context: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.0.0.len() as u64)?;
        self.0.0.iter().try_for_each(|(item, ())| item.encode(e, context))
    }
}

impl<'b, T: Decode<'b, C> + Ord, C> Decode<'b, C> for Set<T> {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Set<T>, minicbor::decode::Error> {
        d.array_iter_with(context)?.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_tree_holds(steps in prop::collection::vec((0..4_u8, 0..20_u8, any::<u8>()), 0..100)) {
            let (mut ours, mut theirs) = (Map::new(), BTreeMap::new());
            for (what, key, value) in steps {
                match what {
                    0 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                    1 => *ours.or_default(key) = *theirs.entry(key).and_modify(|v| *v = value).or_insert(value),
                    2 => {
                        ours.retain(|key, _| key % 7 != value % 7);
                        theirs.retain(|key, _| key % 7 != value % 7);
                    }
                    _ => {
                        ours.insert(key, value);
                        theirs.insert(key, value);
                    }
                }
                prop_assert_eq!((ours.get(&key), ours.len()), (theirs.get(&key), theirs.len()));
            }
            prop_assert!(ours.values().eq(theirs.values()));
        }
    }
}
