//! Lists, each under its own name and with the `cursor` of its next page; and what has nothing but a word.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ChannelDto, DeliveryDto, PauseDto, RuleDto, SilenceDto, SubjectDto};
use crate::server::ports::AuditEntry;

/// Whether the daemon lives, and does its work: `GET /healthz` and `/readyz`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthDto {
    /// `alive` or `ready`.
    pub status: String,
}

/// All rules.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesDto {
    /// In the order of their names.
    pub rules: Vec<RuleDto>,
    /// Always null: they are all here.
    pub next: Option<String>,
}

/// All channels.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelsDto {
    /// In the order of their names.
    pub channels: Vec<ChannelDto>,
    /// Always null: they are all here.
    pub next: Option<String>,
}

/// What is watched.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubjectsDto {
    /// By kind and name.
    pub subjects: Vec<SubjectDto>,
    /// Always null: they are all here.
    pub next: Option<String>,
}

/// What is left alone for a while.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PausedDto {
    /// Rules and collectors.
    pub paused: Vec<PauseDto>,
    /// Always null: they are all here.
    pub next: Option<String>,
}

/// One page of silences.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SilencesDto {
    /// The newest first.
    pub silences: Vec<SilenceDto>,
    /// Gives the next page as `cursor`; null on the last one.
    pub next: Option<String>,
}

/// One page of notifications.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveriesDto {
    /// The newest first.
    pub outbox: Vec<DeliveryDto>,
    /// Gives the next page as `cursor`; null on the last one.
    pub next: Option<String>,
}

/// One page of the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditDto {
    /// The newest first.
    pub audit: Vec<AuditEntry>,
    /// Gives the next page as `cursor`; null on the last one.
    pub next: Option<String>,
}
