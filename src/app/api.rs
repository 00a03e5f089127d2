//! What the HTTP server asks of the daemon: pushes in, views out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::collectors::Collectors;
use super::committer::Writer;
use super::delivery::Deliveries;
use super::engine_thread::{Handle, Refused};
use super::figures::Figures;
use super::folder::Layout;
use super::followers::Followers;
use super::happenings::Happenings;
use super::on_call;
use super::problems::{Part, Problems};
use super::{past, pause};
use crate::collect::COLLECTOR_KIND;
use crate::diagnostic::Severity;
use crate::engine::{Alert, Books, Engine, Input, RuleView, Standing};
use crate::export::Format;
use crate::exposition::{Family, Names};
use crate::history::{Batch, World};
use crate::lab::why;
use crate::model::{ChannelName, FiringId, Now, Time, Value};
use crate::rules::check_unknown_fields;
use crate::rules::{Rule, Scope};
use crate::server::api::{
    AlertDto, AlertPageDto, AttemptCountsDto, ChannelDto, CollectorDto, DashboardDto, DeliveryDetailDto, DeliveryDto,
    HistoryDto, OnCallDto, OutboxDto, PauseDto, ProblemDto, RuleDto, RuleSourceDto, RulesSummaryDto, SilenceDto,
    StatusDto, SubjectDto, WhyDto,
};
use crate::server::{
    AuditEntry, AuditQuery, DashboardQuery, Exported, FiringQuery, Followed, Found, Happening, HistoryError,
    HistoryQuery, Intake, OutboxQuery, Overview, PastError, PushError, PushReceipt, Readiness, SilenceQuery,
    TooManyFollowers, Unavailable, View, WhyError, WhyQuery, overview,
};
use crate::store::{Audit, AuditFilter, Reader};

/// The daemon as the server sees it.
pub(super) struct Api {
    pub(super) engine: Handle<Engine>,
    pub(super) clock: Clock,
    pub(super) address: SocketAddr,
    pub(super) layout: Arc<Layout>,
    pub(super) store: Arc<dyn Reader>,
    pub(super) writer: Writer,
    pub(super) figures: Arc<Figures>,
    pub(super) problems: Arc<Problems>,
    pub(super) collectors: Arc<Collectors>,
    pub(super) deliveries: Arc<Deliveries>,
    pub(super) followers: Arc<Followers>,
    pub(super) happenings: Arc<Happenings>,
    /// One replay at a time.
    pub(super) trying: Semaphore,
    /// Cancelled when requests are to end.
    pub(super) serving: CancellationToken,
    /// The first look at the files is over, and what it found is in force.
    pub(super) loaded: Arc<AtomicBool>,
    /// Whether alerts are sent.
    pub(super) alerting: Arc<AtomicBool>,
    /// What fields are called as metrics.
    pub(super) metric_names: Arc<Mutex<Names>>,
}

impl Intake for Api {
    fn now(&self) -> Now {
        self.clock.now()
    }

    fn is_reserved(&self, kind: &str) -> bool {
        self.collectors.is_reserved(kind)
    }

    fn push(&self, batch: Batch) -> BoxFuture<'_, Result<PushReceipt, PushError>> {
        Box::pin(async move {
            if !self.collectors.takes_pushes() {
                return Err(PushError::Off);
            }
            if self.collectors.is_paused("push") {
                return Err(PushError::Paused);
            }
            let receipt = self.engine.try_step(Input::Batch(batch.into())).await.map_err(|refused| match refused {
                Refused::Busy => PushError::Busy { retry_after: Duration::from_secs(1) },
                Refused::Stopped(_) => PushError::Stopping,
            })?;
            Ok(PushReceipt {
                taken: receipt.report.taken,
                duplicates: receipt.report.duplicates,
                refused: receipt.report.refused,
                durable: receipt.durable && self.store.is_durable(),
            })
        })
    }
}

impl View for Api {
    fn readiness(&self) -> Readiness {
        let mut missing = Vec::new();
        if !self.loaded.load(Ordering::Relaxed) {
            missing.push("the rules are not loaded yet".to_string());
        }
        if self.figures.unsaved.get() > 0 {
            missing.push("the store does not write".to_string());
        }
        Readiness { missing }
    }

    fn status(&self) -> BoxFuture<'_, Result<StatusDto, Unavailable>> {
        Box::pin(self.overview())
    }

    fn metrics(&self) -> BoxFuture<'_, Result<Vec<Family>, Unavailable>> {
        Box::pin(self.families())
    }

    fn rules(&self) -> BoxFuture<'_, Result<Vec<RuleDto>, Unavailable>> {
        Box::pin(self.ask(|engine, now| engine.rule_views().map(|view| rule_document(&view, now)).collect()))
    }

    fn alerts(&self) -> BoxFuture<'_, Result<Vec<AlertDto>, Unavailable>> {
        Box::pin(async move {
            let mut alerts: Vec<AlertDto> = self
                .ask(|engine, now| {
                    engine.active_alerts().map(|view| alert_document(engine, view.rule, view.alert, now)).collect()
                })
                .await?;
            // Where the store cannot be read, what fires is told all the same.
            let ids: Vec<Option<FiringId>> =
                alerts.iter().map(|alert| alert.id.as_deref().map(FiringId::from)).collect();
            let told = past::read(self.store.clone(), move |store| {
                let told = |id: &Option<FiringId>| id.as_ref().map_or_else(|| Ok(BTreeSet::new()), |id| store.told(id));
                ids.iter().map(told).collect::<Result<Vec<_>, crate::store::Error>>()
            });
            for (alert, told) in alerts.iter_mut().zip(told.await.unwrap_or_default()) {
                alert.told = told.iter().map(ToString::to_string).collect();
            }
            Ok(alerts)
        })
    }

    fn firings(&self, asked: FiringQuery) -> BoxFuture<'_, Result<AlertPageDto, PastError>> {
        Box::pin(async move {
            let present = self.alerts().await?;
            past::read(self.store.clone(), move |store| past::page(store, &asked, present)).await
        })
    }

    fn firing(&self, id: String) -> BoxFuture<'_, Result<Found, PastError>> {
        Box::pin(async move {
            let present = self.alerts().await?;
            past::read(self.store.clone(), move |store| past::find(store, &id, present)).await
        })
    }

    fn subjects(&self) -> BoxFuture<'_, Result<Vec<SubjectDto>, Unavailable>> {
        Box::pin(self.ask(|engine, now| subject_documents(engine.world(), now)))
    }

    fn follow(&self) -> Result<BoxStream<'static, Followed>, TooManyFollowers> {
        self.followers.follow(self.serving.clone())
    }

    fn channels(&self) -> BoxFuture<'_, Result<Vec<ChannelDto>, Unavailable>> {
        Box::pin(async move {
            let books = self.ask(|engine, _| engine.books().clone()).await?;
            Ok(self.channel_documents(&books))
        })
    }

    fn outbox(&self, query: OutboxQuery) -> BoxFuture<'_, Result<Vec<DeliveryDto>, Unavailable>> {
        Box::pin(self.list_outbox(query))
    }

    fn delivery(&self, id: &str) -> BoxFuture<'_, Result<Option<DeliveryDetailDto>, Unavailable>> {
        Box::pin(self.show_delivery(id.into()))
    }

    fn audit(&self, asked: AuditQuery) -> BoxFuture<'_, Result<Vec<(i64, AuditEntry)>, PastError>> {
        Box::pin(async move {
            let AuditQuery { since, who, limit, before } = asked;
            let filter = AuditFilter { since, who, limit, before };
            let found = past::read(self.store.clone(), move |store| store.audit(&filter)).await?;
            let entry = |(number, audit): (i64, Audit)| {
                let Audit { time, who, address, what, status } = audit;
                (number, AuditEntry { time, who, address, what, status })
            };
            Ok(found.into_iter().map(entry).collect())
        })
    }

    fn pauses(&self) -> BoxFuture<'_, Result<Vec<PauseDto>, Unavailable>> {
        Box::pin(self.list_pauses())
    }

    fn silences(&self, asked: SilenceQuery) -> BoxFuture<'_, Result<Vec<SilenceDto>, Unavailable>> {
        self.list_silences(asked)
    }

    fn dashboard(&self, asked: DashboardQuery) -> BoxFuture<'_, Result<DashboardDto, Unavailable>> {
        Box::pin(self.dashboard_document(asked))
    }

    fn events(&self) -> Result<BoxStream<'static, Happening>, TooManyFollowers> {
        self.happenings.watch(self.serving.clone())
    }

    fn rule_source(&self, rule: String) -> BoxFuture<'_, Result<Option<RuleSourceDto>, Unavailable>> {
        Box::pin(self.source_of(rule))
    }

    fn history(&self, asked: HistoryQuery) -> BoxFuture<'_, Result<HistoryDto, HistoryError>> {
        Box::pin(self.samples(asked))
    }

    fn export(
        &self,
        what: Exported,
        format: Format,
    ) -> BoxFuture<'_, Result<BoxStream<'static, io::Result<Bytes>>, PastError>> {
        Box::pin(async move { Ok(self.exported(what, format)) })
    }

    fn why(&self, asked: WhyQuery) -> BoxFuture<'_, Result<WhyDto, WhyError>> {
        Box::pin(self.explain(asked))
    }

    fn why_at(&self, asked: WhyQuery, at: Time) -> BoxFuture<'_, Result<serde_json::Value, WhyError>> {
        Box::pin(self.explain_past(asked, at))
    }
}

/// What one question to the engine finds for the overview.
struct Seen {
    worst: Overview,
    rules: RulesSummaryDto,
    collectors: Vec<CollectorDto>,
    problems: Vec<ProblemDto>,
    books: BTreeMap<ChannelName, Books>,
    paused: Vec<PauseDto>,
    silences: usize,
    on_call: BTreeMap<String, OnCallDto>,
}

impl Seen {
    fn of(engine: &Engine, now: Now) -> Seen {
        let views: Vec<RuleView<'_>> = engine.rule_views().collect();
        let is_out = |view: &&RuleView<'_>| view.quarantine.until().is_some_and(|until| until > now.time);
        let rules = RulesSummaryDto {
            total: views.len(),
            quarantined: views.iter().filter(is_out).count(),
            generation: engine.rules().generation,
            pending: views.iter().map(|view| view.pending).sum(),
            firing: views.iter().map(|view| view.firing).sum(),
        };
        let problems = views.iter().filter_map(|view| {
            let (_, fault) = view.fault?;
            let mut problem =
                ProblemDto::of_thing(Severity::Error, "rule", view.rule.file.to_string(), fault.message.clone());
            problem.line = (fault.line > 0).then_some(fault.line);
            problem.column = (fault.column > 0).then_some(fault.column);
            problem.message = format!("rule `{}` failed: {}", view.rule.name, fault.message);
            Some(problem)
        });
        let unknown = check_unknown_fields(engine.rules(), engine.world());
        let unknown = unknown.iter().map(|diagnostic| ProblemDto::of_file("rule", diagnostic));
        let circles = crate::config::circles(engine.routing(), engine.rules(), "larum.yaml", "");
        let circles = circles.iter().map(|diagnostic| ProblemDto::of_file("config", diagnostic));
        let problems = problems.chain(unknown).chain(circles).collect();
        Seen {
            worst: overview(engine.world(), now),
            rules,
            collectors: collectors(engine.world(), now),
            problems,
            books: engine.books().clone(),
            paused: pause::documents(engine),
            silences: engine.silences().active(now.wall()),
            on_call: on_call::rotations(engine, now),
        }
    }
}

impl Api {
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Now) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Unavailable>> + Send + 'static {
        let engine = self.engine.clone();
        async move { engine.ask(question).await.map_err(|_| Unavailable) }
    }

    pub(super) async fn overview(&self) -> Result<StatusDto, Unavailable> {
        let seen = self.ask(Seen::of).await?;
        let totals = self.deliveries.totals();
        let mut problems = self.file_problems();
        problems.extend(seen.problems);
        problems.extend(self.delivery_problems());
        problems.extend(seen.paused.iter().map(|paused| {
            let (place, message, hint) = pause::reminder(paused);
            let mut problem = ProblemDto::of_thing(Severity::Warning, "pause", place, message);
            problem.hint = Some(hint);
            problem
        }));
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        Ok(StatusDto {
            timestamp: self.clock.now().wall(),
            monitoring_enabled: true,
            service_status: seen.worst.service_status.map_or("unknown", |status| status.as_str()).to_string(),
            metrics_port: self.address.port(),
            alert_enabled: self.alerting.load(Ordering::Relaxed),
            cpu_usage: seen.worst.cpu_usage,
            memory_usage: seen.worst.memory_usage,
            disk_usage: seen.worst.disk_usage,
            response_time: seen.worst.response_time,
            rules: seen.rules,
            channels: self.channel_documents(&seen.books),
            collectors: self.with_silent_ones(seen.collectors),
            outbox: OutboxDto {
                waiting: totals.waiting,
                dead: totals.dead,
                oldest_waiting_seconds: totals.oldest_waiting.map(|age| age.as_secs()),
                durable: self.store.is_durable() && self.figures.unsaved.get() == 0,
            },
            paused: seen.paused,
            silences: seen.silences,
            on_call: seen.on_call,
            problems,
        })
    }

    fn channel_documents(&self, books: &BTreeMap<ChannelName, Books>) -> Vec<ChannelDto> {
        let document = |(name, figures): (ChannelName, super::delivery::ChannelFigures)| {
            let books = books.get(&name).copied().unwrap_or_default();
            ChannelDto {
                file: figures.file.to_string(),
                name: name.to_string(),
                channel_type: figures.kind.to_string(),
                owed: books.owed,
                delivered: books.delivered,
                absorbed: books.absorbed,
                waiting: books.waiting,
                dead: books.dead,
                suppressed: books.suppressed,
                in_flight: figures.health.in_flight as u64,
                summaries: figures.health.summaries,
                attempts: AttemptCountsDto {
                    ok: figures.health.attempts.ok,
                    partial: figures.health.attempts.partial,
                    retry: figures.health.attempts.retry,
                    permanent: figures.health.attempts.permanent,
                },
                consecutive_failures: figures.health.consecutive_failures,
                oldest_waiting: figures.health.oldest_waiting,
                limit: figures.health.limit.map(|limit| limit.to_string()),
                concurrency: (!figures.health.nobody).then_some(figures.health.concurrency),
                limited_until: figures.health.limited_until,
                paused_until: figures.health.paused_until,
                last_delivered: figures.health.last_success,
                problem: figures.health.last_error.filter(|_| figures.health.consecutive_failures > 0),
            }
        };
        self.deliveries.figures().into_iter().map(document).collect()
    }

    fn file_problems(&self) -> Vec<ProblemDto> {
        let area = |part: Part| match part {
            Part::Config | Part::Certificate | Part::Restart => "config",
            Part::Rules => "rule",
            Part::Channels => "channel",
            Part::Collectors => "collector",
        };
        let all = self.problems.by_part();
        all.iter().map(|(part, problem)| ProblemDto::of_file(area(*part), problem)).collect()
    }

    fn delivery_problems(&self) -> Vec<ProblemDto> {
        let mut problems = Vec::new();
        for (name, figures) in self.deliveries.figures() {
            let error = figures.health.last_error.filter(|_| figures.health.consecutive_failures > 0);
            problems.extend(error.map(|error| ProblemDto::of_thing(Severity::Error, "delivery", name.as_str(), error)));
            if figures.health.nobody {
                let message = format!("no such channel: {} notifications wait for it", figures.waiting);
                let mut problem = ProblemDto::of_thing(Severity::Error, "delivery", name.as_str(), message);
                problem.hint =
                    Some(format!("they go when channels/{name}.yaml is good, and are given up when it is removed"));
                problems.push(problem);
            }
        }
        let unsaved = self.figures.unsaved.get();
        if unsaved > 0 {
            let message = format!("the store cannot write: {unsaved} records would be lost by a crash");
            problems.push(ProblemDto::of_thing(Severity::Error, "store", "data", message));
        }
        problems
    }

    /// Adds the collectors that run and did not end a pass yet.
    fn with_silent_ones(&self, mut seen: Vec<CollectorDto>) -> Vec<CollectorDto> {
        for name in self.collectors.names() {
            if !seen.iter().any(|collector| collector.name == name) {
                seen.push(CollectorDto {
                    name,
                    up: None,
                    last_pass: None,
                    duration_seconds: None,
                    consecutive_failures: 0,
                    error: None,
                    paused: false,
                });
            }
        }
        for collector in &mut seen {
            collector.paused = self.collectors.is_paused(&collector.name);
        }
        seen.sort_by(|a, b| a.name.cmp(&b.name));
        seen
    }
}

fn collectors(world: &World, now: Now) -> Vec<CollectorDto> {
    let of = |id| {
        let subject = world.subject(id)?;
        let number = |field: &str| world.field(id, field, now).ok().and_then(|value| value.as_number());
        let error = world.field(id, "error", now).ok().map(|value| value.to_string());
        Some(CollectorDto {
            name: subject.key.name.to_string(),
            up: number("up").map(|up| up > 0.0),
            last_pass: Some(now.wall_of(subject.time)),
            duration_seconds: number("duration_seconds"),
            consecutive_failures: number("consecutive_failures").unwrap_or_default() as u64,
            error: error.filter(|error| !error.is_empty()),
            paused: false,
        })
    };
    world.of_kind(COLLECTOR_KIND).filter_map(of).collect()
}

fn rule_document(view: &RuleView<'_>, now: Now) -> RuleDto {
    let rule = view.rule;
    let (kind, scope, by) = match &rule.scope {
        Scope::On { kind } => (kind, "on", &[][..]),
        Scope::Over { kind, by } => (kind, "over", &by[..]),
    };
    let quarantined = view.quarantine.until().filter(|until| *until > now.time);
    let health = match (view.pause, quarantined, view.fault) {
        (Some(_), ..) => "paused",
        (None, Some(_), _) => "quarantined",
        (None, None, Some(_)) => "error",
        (None, None, None) => "ok",
    };
    let paused = view.pause.map(|pause| format!("paused since {} by {}", pause.since, pause.by));
    let counts = view.counts;
    RuleDto {
        name: rule.name.to_string(),
        file: rule.file.to_string(),
        line: rule.line,
        kind: kind.to_string(),
        scope: scope.to_string(),
        by: by.iter().map(ToString::to_string).collect(),
        health: health.to_string(),
        problem: paused.or_else(|| view.fault.map(|(_, fault)| fault.message.clone())),
        taking_part: view.takes_part,
        pending: view.pending,
        firing: view.firing,
        evaluations: counts.fire + counts.clear + counts.no_data + counts.error,
        errors: counts.error,
        operations: view.operations,
        runbook: rule.runbook.as_ref().map(ToString::to_string),
        not_lowered: rule.not_lowered(),
    }
}

pub(super) fn alert_document(engine: &Engine, rule: &Rule, alert: &Alert, now: Now) -> AlertDto {
    let world = engine.world();
    let mut labels = match &alert.group {
        Some(group) => group.clone(),
        None => {
            let id = world.find(&alert.subject.kind, &alert.subject.name);
            id.and_then(|id| world.subject(id)).map(|subject| subject.labels.clone()).unwrap_or_default()
        }
    };
    labels.extend(rule.labels.clone());
    let firing = alert.firing.as_ref();
    let since = firing.map(|firing| firing.since).or(alert.pending_since()).unwrap_or(now.time);
    let read = alert.values.iter().map(|(name, value)| (name.to_string(), value.clone()));
    let values: BTreeMap<String, Value> = read.collect();
    let problem = match &alert.standing {
        Standing::NoData(reason) => Some(reason.to_string()),
        Standing::Failed(fault) => Some(fault.message.clone()),
        Standing::Unjudged | Standing::Judged(_) | Standing::Excluded | Standing::NotConcerned(_) => None,
    };
    let held = engine.holds(now, rule, alert).into_iter();
    AlertDto {
        id: firing.map(|firing| firing.id.to_string()),
        rule: rule.name.to_string(),
        kind: alert.subject.kind.to_string(),
        name: alert.subject.name.to_string(),
        labels,
        state: alert.state().to_string(),
        ended: None,
        reason: None,
        level: firing.map(|firing| firing.level),
        since: now.wall_of(since),
        message: firing.map(|firing| firing.message.clone()).or(problem),
        values,
        told: Vec::new(),
        held: held.map(|(channel, hold)| (channel.to_string(), hold.reason().to_string())).collect(),
        acknowledged: alert.acknowledged.as_ref().filter(|_| firing.is_some()).map(why::acknowledged),
        silenced_by: engine.silenced(now, rule, alert).by.iter().map(ToString::to_string).collect(),
        inhibited_by: engine.muted(now, rule, alert).map(|muted| why::muted(muted, now)),
        escalation: engine.next_step(now, rule, alert).map(|step| why::next_step(step, now)),
        not_judged_since: alert.not_judged_since.map(|since| now.wall_of(since)),
    }
}

fn subject_documents(world: &World, now: Now) -> Vec<SubjectDto> {
    let of = |id| {
        let subject = world.subject(id)?;
        Some(SubjectDto {
            kind: subject.key.kind.to_string(),
            name: subject.key.name.to_string(),
            labels: subject.labels.clone(),
            fields: world.fields(id).map(|(name, value)| (name.clone(), value.clone())).collect(),
            time: now.wall_of(subject.time),
            age_seconds: now.time.since(subject.time).as_secs_f64(),
            source: subject.source.to_string(),
            stale: world.is_stale(id, now),
            gone: subject.gone,
        })
    };
    world.kinds().flat_map(|kind| world.of_kind(kind)).filter_map(of).collect()
}
