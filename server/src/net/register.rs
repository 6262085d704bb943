//! A table that leaves nothing behind: what is removed is wiped where it lay, and nothing is ever moved. Maps of the
//! standard library leave a removed key in its place, and copies of all of them when they grow.

use std::hash::{BuildHasher as _, Hash, RandomState};

use hashbrown::HashTable;
use zeroize::Zeroize;

/// Where an entry lies, as long as it does.
pub(super) type Place = u32;

#[derive(Default)]
struct Entry<K, V> {
    key: K,
    value: V,
    used: bool,
}

/// Values under keys that nobody should find afterwards.
pub(super) struct Register<K, V> {
    /// Never more than it was made for, so that it never moves.
    entries: Vec<Entry<K, V>>,
    free: Vec<Place>,
    /// Places by the hash of their keys: no key, and no hash of one that was removed.
    index: HashTable<Place>,
    secret: RandomState,
    most: usize,
}

impl<K, V> core::fmt::Debug for Register<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Register(..)")
    }
}

impl<K: Zeroize + Hash + Eq + Default, V: Default> Register<K, V> {
    /// A table for so many entries at the most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            // Memory that is not touched before it is needed.
            entries: Vec::with_capacity(most),
            free: Vec::new(),
            index: HashTable::new(),
            secret: RandomState::new(),
            most,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Where `key` lies.
    pub(super) fn find(&self, key: &K) -> Option<Place> {
        let hash = self.secret.hash_one(key);
        let is = |place: &Place| self.entry(*place).is_some_and(|entry| entry.key == *key);
        self.index.find(hash, is).copied()
    }

    /// Lays down a key that is not there. None if there is no room.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<Place> {
        let hash = self.secret.hash_one(&key);
        let entry = Entry { key, value, used: true };
        let place = match self.free.pop() {
            Some(place) => {
                *self.entries.get_mut(place as usize)? = entry;
                place
            }
            None if self.entries.len() < self.most => {
                let place = Place::try_from(self.entries.len()).ok()?;
                self.entries.push(entry);
                place
            }
            None => return None,
        };
        let Self { entries, index, secret, .. } = self;
        index.insert_unique(hash, place, |place| {
            entries.get(*place as usize).map_or(0, |entry| secret.hash_one(&entry.key))
        });
        Some(place)
    }

    fn entry(&self, place: Place) -> Option<&Entry<K, V>> {
        self.entries.get(place as usize).filter(|entry| entry.used)
    }

    /// What lies there.
    pub(super) fn get(&self, place: Place) -> Option<(&K, &V)> {
        self.entry(place).map(|entry| (&entry.key, &entry.value))
    }

    /// The value that lies there.
    pub(super) fn value(&mut self, place: Place) -> Option<&mut V> {
        self.entries.get_mut(place as usize).filter(|entry| entry.used).map(|entry| &mut entry.value)
    }

    /// Removes and wipes what lies there.
    pub(super) fn remove(&mut self, place: Place) {
        let Some(entry) = self.entries.get_mut(place as usize).filter(|entry| entry.used) else { return };
        let hash = self.secret.hash_one(&entry.key);
        entry.key.zeroize();
        entry.value = V::default();
        entry.used = false;
        if let Ok(found) = self.index.find_entry(hash, |one| *one == place) {
            found.remove();
        }
        self.free.push(place);
    }

    /// Removes and wipes all but those whose value is to stay.
    pub(super) fn retain(&mut self, stays: impl Fn(&mut V) -> bool) {
        for place in 0..self.entries.len() {
            let Ok(place) = Place::try_from(place) else { return };
            if self.value(place).is_some_and(|value| !stays(value)) {
                self.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_wiped_where_it_lay_and_the_others_are_found() {
        let mut register = Register::<[u8; 4], u32>::new(3);
        let places: Vec<Place> = (1..=3).map(|n| register.insert([n; 4], u32::from(n)).unwrap()).collect();
        assert_eq!(register.insert([4; 4], 4), None, "there is room for three");
        register.remove(places[1]);
        register.remove(places[1]);
        assert_eq!(register.entries[places[1] as usize].key, [0; 4]);
        assert_eq!(register.find(&[2; 4]), None);
        assert_eq!(register.find(&[0; 4]), None, "a wiped key is none");
        assert_eq!(register.find(&[3; 4]), Some(places[2]));
        assert_eq!(register.insert([5; 4], 5), Some(places[1]));
        assert_eq!(register.insert([6; 4], 6), None);
        register.retain(|value| *value == 5);
        assert_eq!((register.len(), register.get(places[1])), (1, Some((&[5; 4], &5))));
        assert!(register.entries.iter().filter(|entry| !entry.used).all(|entry| entry.key == [0; 4]));
    }

    #[test]
    fn a_table_that_fills_up_is_never_moved() {
        let mut register = Register::<[u8; 4], ()>::new(10_000);
        let at = register.entries.as_ptr();
        let places: Vec<Place> =
            (0..10_000_u32).map(|n| register.insert(n.to_be_bytes(), ()).unwrap()).collect();
        assert_eq!(at, register.entries.as_ptr());
        for (n, place) in (0..10_000_u32).zip(places) {
            assert_eq!(register.find(&n.to_be_bytes()), Some(place));
        }
    }
}
