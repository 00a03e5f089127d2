//! A small map by channel.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

use crate::model::ChannelName;

/// A map by channel, in the order of the names. Most alerts are told to one or two channels, and there may be a hundred
/// thousand alerts: a vector takes a tenth of the room of a tree's node.
#[derive(Clone, Debug, PartialEq)]
pub struct PerChannel<T>(Vec<(ChannelName, T)>);

impl<T> Default for PerChannel<T> {
    fn default() -> PerChannel<T> {
        PerChannel(Vec::new())
    }
}

impl<T> PerChannel<T> {
    fn place(&self, channel: &ChannelName) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(channel))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What belongs to a channel.
    pub fn get(&self, channel: &ChannelName) -> Option<&T> {
        self.place(channel).ok().map(|place| &self.0[place].1)
    }

    /// What belongs to a channel, to be changed.
    pub fn get_mut(&mut self, channel: &ChannelName) -> Option<&mut T> {
        self.place(channel).ok().map(|place| &mut self.0[place].1)
    }

    /// Takes what belongs to a channel out.
    pub fn remove(&mut self, channel: &ChannelName) -> Option<T> {
        self.place(channel).ok().map(|place| self.0.remove(place).1)
    }

    /// Puts what belongs to a channel in its place.
    pub fn insert(&mut self, channel: ChannelName, value: T) {
        match self.place(&channel) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => {
                // No more room than is needed: there are many of these, and they seldom grow.
                self.0.reserve_exact(1);
                self.0.insert(place, (channel, value));
            }
        }
    }

    /// The channels.
    pub fn keys(&self) -> impl Iterator<Item = &ChannelName> {
        self.0.iter().map(|(channel, _)| channel)
    }

    /// The channels with what belongs to each.
    pub fn iter(&self) -> impl Iterator<Item = (&ChannelName, &T)> {
        self.0.iter().map(|(channel, value)| (channel, value))
    }
}

impl<T: Default> PerChannel<T> {
    /// What belongs to a channel; the default where there was nothing.
    pub fn of(&mut self, channel: &ChannelName) -> &mut T {
        let place = match self.place(channel) {
            Ok(place) => place,
            Err(place) => {
                self.insert(channel.clone(), T::default());
                place
            }
        };
        &mut self.0[place].1
    }
}

impl<T> IntoIterator for PerChannel<T> {
    type Item = (ChannelName, T);
    type IntoIter = std::vec::IntoIter<(ChannelName, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// As a map.
impl<T: Serialize> Serialize for PerChannel<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for PerChannel<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PerChannel<T>, D::Error> {
        Ok(PerChannel(BTreeMap::<ChannelName, T>::deserialize(deserializer)?.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_in_the_order_of_the_names_and_as_json_too() {
        let mut map = PerChannel::default();
        for name in ["ops", "console", "pager", "console"] {
            *map.of(&name.into()) += name.len();
        }
        map.insert("a".into(), 1);
        let expected = r#"{"a":1,"console":14,"ops":3,"pager":5}"#;
        assert_eq!(serde_json::to_string(&map).unwrap(), expected);
        assert_eq!(serde_json::from_str::<PerChannel<usize>>(expected).unwrap(), map);
        assert_eq!(
            (map.remove(&"ops".into()), map.get(&"ops".into()), map.get(&"pager".into())),
            (Some(3), None, Some(&5))
        );
        assert_eq!(map.keys().map(ChannelName::as_str).collect::<Vec<_>>(), ["a", "console", "pager"]);
    }
}
