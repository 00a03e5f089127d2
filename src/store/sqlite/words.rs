//! Words of the model as the tables have them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rusqlite::types::{FromSqlError, FromSqlResult};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::model::CloseReason;
use crate::store::DeliveryStateName;

/// Words that are kept at most: there are as many as the program's texts have, unless somebody else wrote to the file.
const MAX_WORDS: usize = 256;

/// A word that serde knows: a kind of event, a level.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> FromSqlResult<T> {
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(text).map_err(FromSqlError::other)
}

/// The reason of an end.
pub(super) fn close_reason(text: &str) -> FromSqlResult<CloseReason> {
    // `as_str` has the words with blanks, as people read them; serde with underscores.
    word(&text.replace(' ', "_"))
}

/// The state of a delivery.
pub(super) fn delivery_state(text: &str) -> FromSqlResult<DeliveryStateName> {
    let known = DeliveryStateName::ALL.into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| unknown("a state of a delivery", text))
}

/// A word that is not what is expected there.
pub(super) fn unknown(expected: &str, text: &str) -> FromSqlError {
    FromSqlError::Other(format!("`{text}` is not {expected}").into())
}

/// A word that the engine has as a constant: the name of a state, why somebody was not told. There are few of them, and
/// each is kept for as long as the program runs.
pub(super) fn constant(text: &str) -> &'static str {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(text) {
        return known;
    }
    if words.len() >= MAX_WORDS {
        return "unknown";
    }
    let word: &'static str = Box::leak(text.into());
    words.insert(word);
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EventKind, Level};

    #[test]
    fn words_are_read_as_they_are_written() {
        for level in Level::ALL {
            assert_eq!(word::<Level>(level.as_str()).unwrap(), level);
        }
        for reason in [CloseReason::Gone, CloseReason::RuleRemoved, CloseReason::NoLongerCovered, CloseReason::NoData] {
            assert_eq!(close_reason(reason.as_str()).unwrap(), reason);
        }
        for state in DeliveryStateName::ALL {
            assert_eq!(delivery_state(state.as_str()).unwrap(), state);
        }
        assert_eq!(word::<EventKind>(EventKind::Flapping.as_str()).unwrap(), EventKind::Flapping);
        word::<EventKind>("exploded").unwrap_err();
        assert_eq!(delivery_state("lost").unwrap_err().to_string(), "`lost` is not a state of a delivery");
    }

    #[test]
    fn a_constant_is_kept_once() {
        assert!(std::ptr::eq(constant("cooldown"), constant(&String::from("cooldown"))));
    }
}
