//! The words of the domain as plain types. Knows nothing else of ours, does no I/O, reads no clock.

pub mod duration;
mod event;
mod glob;
mod level;
mod name;
mod no_data;
mod snapshot;
mod time;
mod value;
pub mod wire;

pub use event::{
    Acknowledged, AlertNote, CloseReason, EventKind, FoldedEvent, Group, Notification, Occasion, StillFiring, Summary,
    SummaryCount, Undelivered,
};
pub use glob::glob;
pub use level::{Level, UnknownLevel};
pub use name::{ChannelName, FiringId, NotificationId, RuleName, SilenceId};
pub use no_data::NoData;
pub use snapshot::{Labels, Snapshot, SubjectKey};
pub use time::{Now, Time};
pub use value::{Value, short_number};
