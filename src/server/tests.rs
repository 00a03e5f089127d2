mod answers;
mod openapi;
mod operate;
mod security;

use std::io::Write;
use std::sync::Mutex;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use super::api::{
    AcknowledgedDto, AlertDto, AlertHistoryDto, AlertPageDto, ChannelDto, DeliveryDetailDto, DeliveryDto, ForgottenDto,
    OperatedDto, OutboxDto, PauseDto, RuleDto, RulesSummaryDto, SilenceDto, SilenceMadeDto, StatusDto, SubjectDto,
    WhyDto, WhyRuleDto, WhySubjectDto,
};
use super::*;
use crate::history::{Batch, Refusal, Source};
use crate::model::{Labels, Level, Now, Snapshot, SubjectKey, Time};

/// An engine that takes everything but what is named `late`, and remembers it.
#[derive(Default)]
struct Engine {
    batches: Mutex<Vec<Batch>>,
    error: Option<PushError>,
    hangs: bool,
    panics: bool,
}

impl Intake for Engine {
    fn now(&self) -> Now {
        Now::at(Time::from_micros(1_800_000_000_000_000))
    }
    fn is_reserved(&self, kind: &str) -> bool {
        assert!(!self.panics, "the engine was told to panic");
        ["collector", "larum", "host"].contains(&kind)
    }
    fn push(&self, batch: Batch) -> BoxFuture<'_, Result<PushReceipt, PushError>> {
        Box::pin(async move {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            if let Some(error) = self.error {
                return Err(error);
            }
            let late = |index: usize| &*batch.snapshots[index].subject.name == "late";
            let (refused, taken): (Vec<usize>, Vec<usize>) = (0..batch.snapshots.len()).partition(|index| late(*index));
            let newest = Time::EPOCH;
            let refused = refused.into_iter().map(|index| (index, Refusal::Late { newest })).collect();
            self.batches.lock().unwrap().push(batch);
            Ok(PushReceipt { taken: taken.len(), duplicates: 0, refused, durable: true })
        })
    }
}

/// A daemon with one of each.
#[derive(Default)]
struct Daemon {
    missing: Vec<String>,
    unavailable: bool,
    panics: bool,
    /// What was asked of the past.
    asked: Arc<Mutex<Vec<FiringQuery>>>,
    /// What it was told to do.
    wishes: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    fn past<T: Send + 'static>(&self, value: T) -> BoxFuture<'_, Result<T, PastError>> {
        let unreadable = self.missing.iter().any(|missing| missing == "the store");
        Box::pin(async move {
            match (self.unavailable, unreadable) {
                (true, _) => Err(PastError::Unavailable(Unavailable)),
                (_, true) => Err(PastError::Store("the disk is gone".into())),
                (false, false) => Ok(value),
            }
        })
    }

    fn answer<T: Send + 'static>(&self, value: T) -> BoxFuture<'_, Result<T, Unavailable>> {
        Box::pin(async move {
            assert!(!self.panics, "the view was told to panic");
            if self.unavailable { Err(Unavailable) } else { Ok(value) }
        })
    }
}

impl View for Daemon {
    fn readiness(&self) -> Readiness {
        Readiness { missing: self.missing.clone() }
    }
    fn dashboard(&self, asked: DashboardQuery) -> BoxFuture<'_, Result<super::api::DashboardDto, Unavailable>> {
        Box::pin(async move {
            Ok(super::api::DashboardDto {
                version: "1",
                status: self.status().await?,
                alerts: Vec::new(),
                conditions: Default::default(),
                states: Default::default(),
                levels: Default::default(),
                kinds: Vec::new(),
                since: Time::EPOCH,
                step_seconds: asked.length.as_secs_f64(),
            })
        })
    }
    fn events(&self) -> Result<BoxStream<'static, Happening>, TooManyFollowers> {
        let happened = Happening { event: "alert", data: "{}".into() };
        Ok(Box::pin(futures_util::stream::iter([happened])))
    }
    fn rule_source(&self, rule: String) -> BoxFuture<'_, Result<Option<super::api::RuleSourceDto>, Unavailable>> {
        let source = super::api::RuleSourceDto { file: "rules/a.rhai".into(), line: 1, text: rule };
        self.answer(Some(source))
    }
    fn history(&self, asked: HistoryQuery) -> BoxFuture<'_, Result<super::api::HistoryDto, HistoryError>> {
        let known = asked.name == "shop";
        let step_seconds = asked.step.unwrap_or_default().as_secs_f64();
        let HistoryQuery { kind, name, field, from, to, .. } = asked;
        let points = vec![[1.5, 2.0, 1.0, 3.0]];
        let history = super::api::HistoryDto { kind, name, field, from, to, step_seconds, gap_seconds: 60.0, points };
        let unknown = HistoryError::Unknown { error: "there is no such subject".into(), hint: Some("shop".into()) };
        Box::pin(async move { if known { Ok(history) } else { Err(unknown) } })
    }
    fn export(
        &self,
        what: Exported,
        format: crate::export::Format,
    ) -> BoxFuture<'_, Result<BoxStream<'static, std::io::Result<bytes::Bytes>>, PastError>> {
        let text = format!("{what:?} {format:?}");
        let stream = futures_util::stream::iter([Ok(bytes::Bytes::from(text))]);
        Box::pin(async move { Ok::<BoxStream<'static, _>, _>(Box::pin(stream)) })
    }
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<crate::exposition::Family>, Unavailable>> {
        use crate::exposition::{Family, Sort};
        self.answer(vec![Family::single("larum_rules", Sort::Gauge, "Rules.", 3.0)])
    }
    fn status(&self) -> BoxFuture<'_, Result<StatusDto, Unavailable>> {
        self.answer(StatusDto {
            timestamp: Time::from_micros(1_800_000_000_000_000),
            monitoring_enabled: true,
            service_status: "running".into(),
            metrics_port: 8001,
            alert_enabled: true,
            cpu_usage: Some(12.5),
            memory_usage: None,
            disk_usage: Some(90.0),
            response_time: None,
            rules: RulesSummaryDto { total: 3, ..RulesSummaryDto::default() },
            channels: Vec::new(),
            collectors: Vec::new(),
            outbox: OutboxDto { durable: true, ..OutboxDto::default() },
            paused: Vec::new(),
            silences: 0,
            on_call: Default::default(),
            problems: Vec::new(),
        })
    }
    fn rules(&self) -> BoxFuture<'_, Result<Vec<RuleDto>, Unavailable>> {
        self.answer(Vec::new())
    }
    fn follow(&self) -> Result<BoxStream<'static, Followed>, TooManyFollowers> {
        if self.unavailable {
            return Err(TooManyFollowers { max: 16 });
        }
        let snapshot = |kind: &str| Snapshot {
            subject: SubjectKey::new(kind, "a"),
            time: Time::from_micros(1_000_000),
            labels: Labels::new(),
            fields: [("x".into(), 1.0.into())].into(),
            gone: false,
        };
        let followed = |missed| Followed {
            now: Now::at(Time::from_micros(2_000_000)),
            batch: Batch {
                source: Source { name: "push".into(), stale_after: Duration::from_secs(300) },
                snapshots: vec![snapshot("disk"), snapshot("host")],
                complete: Vec::new(),
            }
            .into(),
            refused: Vec::new(),
            missed,
        };
        Ok(Box::pin(futures_util::stream::iter([followed(0), followed(7)])))
    }
    fn alerts(&self) -> BoxFuture<'_, Result<Vec<AlertDto>, Unavailable>> {
        let alert = |name: &str, state: &str, level| AlertDto {
            id: Some(format!("id-{name}")),
            rule: "cpu_high".into(),
            kind: "host".into(),
            name: name.into(),
            labels: Default::default(),
            state: state.into(),
            level,
            since: Time::from_micros(1_800_000_000_000_000),
            ended: None,
            reason: None,
            message: None,
            values: Default::default(),
            told: vec!["console".into()],
            held: Default::default(),
            acknowledged: None,
            silenced_by: Vec::new(),
            inhibited_by: None,
            escalation: None,
            not_judged_since: None,
        };
        self.answer(vec![alert("a", "firing", Some(Level::Warning)), alert("b", "pending", None)])
    }
    fn firings(&self, asked: FiringQuery) -> BoxFuture<'_, Result<AlertPageDto, PastError>> {
        self.asked.lock().unwrap().push(asked.clone());
        let next = Cursor { seen: asked.limit, since: Time::EPOCH, id: "f-1".into() };
        self.past(AlertPageDto { alerts: Vec::new(), next: Some(next.to_string()) })
    }
    fn firing(&self, id: String) -> BoxFuture<'_, Result<Found, PastError>> {
        let alerts = futures_util::FutureExt::now_or_never(self.alerts()).unwrap();
        let one = |alert: AlertDto| AlertHistoryDto {
            alert,
            events: Vec::new(),
            transitions: Vec::new(),
            notifications: Vec::new(),
            suppressed: Vec::new(),
        };
        let alerts = alerts.unwrap_or_default().into_iter();
        let mut found: Vec<AlertDto> =
            alerts.filter(|alert| alert.id.as_ref().is_some_and(|known| known.starts_with(&id))).collect();
        self.past(match found.len() {
            0 => Found::None,
            1 => Found::One(Box::new(one(found.remove(0)))),
            _ => Found::Several(found.into_iter().filter_map(|alert| alert.id).collect()),
        })
    }
    fn subjects(&self) -> BoxFuture<'_, Result<Vec<SubjectDto>, Unavailable>> {
        let subject = |kind: &str, name: &str| SubjectDto {
            kind: kind.into(),
            name: name.into(),
            labels: Default::default(),
            fields: Default::default(),
            time: Time::EPOCH,
            age_seconds: 1.5,
            source: "push".into(),
            stale: false,
            gone: false,
        };
        self.answer(vec![subject("host", "a"), subject("service", "a"), subject("service", "b")])
    }
    fn channels(&self) -> BoxFuture<'_, Result<Vec<ChannelDto>, Unavailable>> {
        self.answer(vec![ChannelDto {
            name: "console".into(),
            channel_type: "console".into(),
            ..ChannelDto::default()
        }])
    }
    fn outbox(&self, query: OutboxQuery) -> BoxFuture<'_, Result<Vec<DeliveryDto>, Unavailable>> {
        let one = |index: usize| DeliveryDto {
            id: format!("n{index}"),
            channel: query.channel.clone().unwrap_or_default(),
            state: query.state.clone().unwrap_or_default(),
            ..DeliveryDto::default()
        };
        self.answer((0..5).skip(query.offset).take(query.limit).map(one).collect())
    }
    fn audit(&self, asked: AuditQuery) -> BoxFuture<'_, Result<Vec<(i64, AuditEntry)>, PastError>> {
        let entry = |number: i64| AuditEntry {
            time: Time::EPOCH,
            who: asked.who.clone().unwrap_or_default(),
            address: None,
            what: format!("entry {number}"),
            status: 200,
        };
        let from = asked.before.unwrap_or(6) - 1;
        self.past((1..=from).rev().take(asked.limit).map(|number| (number, entry(number))).collect())
    }
    fn pauses(&self) -> BoxFuture<'_, Result<Vec<PauseDto>, Unavailable>> {
        self.answer(Vec::new())
    }
    fn silences(&self, asked: SilenceQuery) -> BoxFuture<'_, Result<Vec<SilenceDto>, Unavailable>> {
        let one = |state: &crate::routing::SilenceState| silence(state.as_str());
        self.answer(asked.states.iter().map(one).collect())
    }
    fn delivery(&self, id: &str) -> BoxFuture<'_, Result<Option<DeliveryDetailDto>, Unavailable>> {
        let delivery = DeliveryDto { id: id.into(), ..DeliveryDto::default() };
        self.answer((id == "n1").then(|| DeliveryDetailDto { delivery, ..DeliveryDetailDto::default() }))
    }
    fn why_at(&self, asked: WhyQuery, at: Time) -> BoxFuture<'_, Result<Json, WhyError>> {
        let busy = WhyError::Later("another replay runs".into());
        let found = if asked.rule == "known" { Ok(json!({ "rule": asked.rule, "time": at })) } else { Err(busy) };
        Box::pin(async move { found })
    }
    fn why(&self, asked: WhyQuery) -> BoxFuture<'_, Result<WhyDto, WhyError>> {
        let found = match (asked.rule.as_str(), self.unavailable) {
            (_, true) => Err(WhyError::Unavailable(Unavailable)),
            ("known", _) => Ok(WhyDto {
                time: Time::from_micros(1_800_000_000_000_000),
                rule: WhyRuleDto { name: asked.rule, ..WhyRuleDto::default() },
                subject: asked.name.map(|name| WhySubjectDto { name, ..WhySubjectDto::default() }),
                verdict: None,
                evaluation: Vec::new(),
                values: Default::default(),
                state: None,
                next: Vec::new(),
                stages: None,
                attention: None,
                last_firing: None,
                subjects: None,
            }),
            (rule, _) => {
                let hint = Some("did you mean `known`?".to_string());
                Err(WhyError::Unknown { error: format!("there is no rule `{rule}`"), hint })
            }
        };
        Box::pin(async { found })
    }
}

impl Operator for Daemon {
    fn replay(&self, asked: ReplayAsked) -> BoxFuture<'_, Result<super::api::ReplayDto, OperateError>> {
        let events = vec![json!({ "file": asked.file, "text": asked.text, "seconds": asked.length.as_secs() })];
        Box::pin(async move { Ok(super::api::ReplayDto { events, ..Default::default() }) })
    }
    fn test_channel(&self, channel: String) -> BoxFuture<'_, Result<String, OperateError>> {
        Box::pin(async move { Ok(format!("`{channel}` took it")) })
    }
    fn retry_delivery(&self, id: &str) -> BoxFuture<'_, Result<OperatedDto, OperateError>> {
        let answer = match id {
            "n1" => Ok(OperatedDto { id: id.into(), result: "waiting".into() }),
            "n2" => Err(OperateError::Conflict { said: "`n2` was delivered already".into(), hint: None }),
            _ => Err(OperateError::Unknown(format!("there is no notification `{id}`"))),
        };
        Box::pin(std::future::ready(answer))
    }
    fn drop_delivery(&self, id: &str) -> BoxFuture<'_, Result<OperatedDto, OperateError>> {
        Box::pin(std::future::ready(Ok(OperatedDto { id: id.into(), result: "dropped".into() })))
    }
    fn silence(
        &self,
        plan: crate::routing::Plan,
        preview: bool,
    ) -> BoxFuture<'_, Result<SilenceMadeDto, OperateError>> {
        self.wish(format!("silence {} by {:?}, preview {preview}", plan.matches, plan.author));
        let answer = match plan.matches.is_empty() {
            true => Err(OperateError::Refused { said: "it covers everything".into(), hint: Some("say what".into()) }),
            false => Ok(made(silence("active"))),
        };
        Box::pin(std::future::ready(answer))
    }
    fn show_silence(&self, id: String) -> BoxFuture<'_, Result<SilenceMadeDto, OperateError>> {
        let answer = match id.as_str() {
            "s1" => Ok(made(silence("active"))),
            _ => Err(OperateError::Nothing { said: format!("there is no silence `{id}`"), hint: None }),
        };
        Box::pin(std::future::ready(answer))
    }
    fn end_silence(&self, id: String, by: String) -> BoxFuture<'_, Result<SilenceDto, OperateError>> {
        self.wish(format!("end {id} by {by:?}"));
        Box::pin(std::future::ready(Ok(silence("ended"))))
    }
    fn note(&self, entry: AuditEntry) -> BoxFuture<'_, bool> {
        self.wish(format!("audit {} {} {}", entry.who, entry.status, entry.what));
        Box::pin(std::future::ready(true))
    }
    fn pause(&self, asked: PauseAsked) -> BoxFuture<'_, Result<Vec<PauseDto>, OperateError>> {
        self.wish(format!("pause {asked:?}"));
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    fn resume(&self, asked: PauseAsked) -> BoxFuture<'_, Result<Vec<PauseDto>, OperateError>> {
        self.wish(format!("resume {asked:?}"));
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    fn forget(&self, kind: String, name: String) -> BoxFuture<'_, Result<ForgottenDto, OperateError>> {
        self.wish(format!("forget {kind} {name}"));
        Box::pin(std::future::ready(Ok(ForgottenDto { kind, name, closed: Vec::new(), durable: true })))
    }
    fn acknowledge(&self, asked: Acknowledgement) -> BoxFuture<'_, Result<AcknowledgedDto, OperateError>> {
        self.wish(format!("{asked:?}"));
        Box::pin(std::future::ready(Ok(AcknowledgedDto { acknowledged: Vec::new(), durable: true })))
    }
}

impl Daemon {
    fn wish(&self, text: String) {
        self.wishes.lock().unwrap().push(text);
    }
}

fn silence(state: &str) -> SilenceDto {
    SilenceDto {
        id: "s1".into(),
        state: state.into(),
        matches: serde_json::from_value(json!({ "rule": "cpu_*" })).unwrap(),
        from: Time::EPOCH,
        until: None,
        every: None,
        time_zone: None,
        next_change: None,
        author: "anna".into(),
        comment: String::new(),
        created: Time::EPOCH,
        expired: None,
        expired_by: None,
    }
}

fn made(silence: SilenceDto) -> SilenceMadeDto {
    SilenceMadeDto { silence, covers: Vec::new(), covers_total: 0, warnings: Vec::new(), durable: true }
}

fn settings() -> Settings {
    Settings { max_body: 16 << 20, max_entries: 200_000, ..Settings::default() }
}

async fn send(router: Router, request: Request<Body>) -> (u16, Json, header::HeaderMap) {
    let response = router.oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(headers[header::CONTENT_TYPE], "application/json", "every answer is JSON");
    (status, serde_json::from_slice(&body).unwrap(), headers)
}

async fn get_with(view: Daemon, path: &str) -> (u16, Json) {
    let view = Arc::new(view);
    let router = router(settings(), Arc::new(Engine::default()), view.clone(), view);
    let request = Request::get(path).header("host", "localhost:8001").body(Body::empty()).unwrap();
    let (status, json, _) = send(router, request).await;
    (status, json)
}

#[tokio::test]
async fn snapshots_are_followed_as_lines_of_a_recording() {
    let view = Arc::new(Daemon::default());
    let router = router(settings(), Arc::new(Engine::default()), view.clone(), view);
    let request = Request::get("/api/v1/snapshots?follow=true&kind=host,net").header("host", "localhost:8001");
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let line = r#"{"time":"1970-01-01T00:00:01Z","arrived":"1970-01-01T00:00:02Z","source":"push","stale_after":"5m","kind":"host","name":"a","fields":{"x":1}}"#;
    assert_eq!(std::str::from_utf8(&body).unwrap(), format!("{line}\n{{\"missed\":7}}\n{line}\n"));

    for (path, status) in [
        ("", 400),
        ("?follow=false", 400),
        ("?follow=true&x=1", 400),
        ("?follow=true&kind=", 400),
        ("?follow=true&kind=a,", 400),
    ] {
        let (answered, json) = get_with(Daemon::default(), &format!("/api/v1/snapshots{path}")).await;
        assert_eq!(answered, status, "{path}: {json}");
    }
    let busy = Daemon { unavailable: true, ..Daemon::default() };
    let (status, json) = get_with(busy, "/api/v1/snapshots?follow=true").await;
    assert_eq!((status, &json["error"]), (503, &json!("16 already follow the snapshots, which is the limit")));
}

fn post() -> axum::http::request::Builder {
    Request::post("/api/v1/snapshots").header("host", "127.0.0.1:8001").header("content-type", "application/json")
}

/// Pushes a body, and gives the answer and what the engine got.
async fn push(engine: Engine, settings: Settings, request: Request<Body>) -> (u16, Json, Vec<Batch>) {
    let engine = Arc::new(engine);
    let daemon = Arc::new(Daemon::default());
    let router = router(settings, Arc::clone(&engine) as Arc<dyn Intake>, daemon.clone(), daemon);
    let (status, json, _) = send(router, request).await;
    let batches = std::mem::take(&mut *engine.batches.lock().unwrap());
    (status, json, batches)
}

async fn push_body(body: impl Into<Vec<u8>>) -> (u16, Json, Vec<Batch>) {
    let request = post().body(Body::from(body.into())).unwrap();
    push(Engine::default(), settings(), request).await
}

fn entry(name: &str) -> Json {
    json!({ "kind": "service", "name": name, "fields": { "up": 1 } })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn assert_error(status: u16, json: &Json, expected: u16, text: &str) {
    assert_eq!(status, expected, "{json}");
    let error = json["error"].as_str().unwrap();
    assert!(error.contains(text), "{error:?} does not hold {text:?}");
}

#[tokio::test]
async fn health_is_alive_and_readiness_names_what_is_missing() {
    assert_eq!(get_with(Daemon::default(), "/healthz").await, (200, json!({ "status": "alive" })));
    assert_eq!(get_with(Daemon::default(), "/readyz").await, (200, json!({ "status": "ready" })));
    let starting = Daemon { missing: vec!["the store is not open".into()], ..Daemon::default() };
    let (status, json) = get_with(starting, "/readyz").await;
    assert_error(status, &json, 503, "the store is not open");
}

#[tokio::test]
async fn the_status_has_the_fields_that_are_promised() {
    let (status, json) = get_with(Daemon::default(), "/api/v1/status").await;
    assert_eq!(status, 200);
    let fields = "timestamp monitoring_enabled service_status metrics_port alert_enabled cpu_usage memory_usage \
                  disk_usage response_time rules channels collectors outbox problems";
    for field in fields.split_whitespace() {
        assert!(json.get(field).is_some(), "{field} is missing");
    }
    assert_eq!((&json["cpu_usage"], &json["memory_usage"]), (&json!(12.5), &Json::Null));
    assert_eq!(json["timestamp"], "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn lists_are_under_their_name_and_can_be_filtered() {
    let cases = [
        ("/api/v1/rules", "rules", 0),
        ("/api/v1/channels", "channels", 1),
        ("/api/v1/alerts", "alerts", 2),
        ("/api/v1/alerts?state=firing", "alerts", 1),
        ("/api/v1/alerts?level=warning&name=a", "alerts", 1),
        ("/api/v1/alerts?level=warning&name=b", "alerts", 0),
        ("/api/v1/alerts?rule=cpu_high&kind=host", "alerts", 2),
        ("/api/v1/subjects", "subjects", 3),
        ("/api/v1/subjects?kind=service", "subjects", 2),
        ("/api/v1/subjects?kind=service&name=a", "subjects", 1),
        ("/api/v1/outbox", "outbox", 5),
        ("/api/v1/outbox?state=dead&channel=ops&limit=5", "outbox", 5),
        ("/api/v1/outbox?cursor=3", "outbox", 2),
    ];
    for (path, name, length) in cases {
        let (status, json) = get_with(Daemon::default(), path).await;
        assert_eq!((status, json[name].as_array().map(Vec::len)), (200, Some(length)), "{path}: {json}");
        assert_eq!(json["next"], Json::Null);
    }
    let outbox = ["state=lost", "limit=0", "limit=1001", "cursor=x", "chanel=ops"].map(|q| format!("outbox?{q}"));
    let others = ["alerts?sate=firing", "alerts?level=loud", "status?x=1", "outbox/n1?x=1"].map(str::to_string);
    for path in outbox.into_iter().chain(others).map(|path| format!("/api/v1/{path}")) {
        let path = path.as_str();
        assert_eq!(get_with(Daemon::default(), path).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn a_long_list_is_given_in_pages() {
    let mut found = Vec::new();
    let mut cursor = Json::from("0");
    while let Some(at) = cursor.as_str() {
        let (status, json) = get_with(Daemon::default(), &format!("/api/v1/outbox?limit=2&cursor={at}")).await;
        assert_eq!(status, 200, "{json}");
        found.extend(json["outbox"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_string()));
        cursor = json["next"].clone();
    }
    assert_eq!(found, ["n0", "n1", "n2", "n3", "n4"]);
}

#[tokio::test]
async fn an_operator_retries_and_drops_a_notification() {
    let post_to = async |path: &str, content_type: &'static str, body: &'static str| {
        let daemon = Arc::new(Daemon::default());
        let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
        let request = Request::post(format!("/api/v1/outbox/{path}")).header("host", "127.0.0.1:8001");
        let request = request.header("content-type", content_type).body(Body::from(body)).unwrap();
        let (status, json, _) = send(router, request).await;
        (status, json)
    };
    const JSON: &str = "application/json";
    assert_eq!(post_to("n1/retry", JSON, "").await, (200, json!({ "id": "n1", "result": "waiting" })));
    assert_eq!(post_to("n1/drop", JSON, "{}").await, (200, json!({ "id": "n1", "result": "dropped" })));
    let cases = [
        ("n2/retry", JSON, "", 409, "`n2` was delivered already"),
        ("n3/retry", JSON, "", 404, "there is no notification `n3`"),
        ("n1/retry", JSON, "{\"at\": 1}", 400, "takes no parameters"),
        ("%ff/drop", JSON, "", 400, "is not text"),
        ("n1/drop", "text/plain", "", 415, "is not JSON"),
    ];
    for (path, content_type, body, expected, said) in cases {
        let (status, json) = post_to(path, content_type, body).await;
        assert_error(status, &json, expected, said);
    }
    let (status, json) = get_with(Daemon::default(), "/api/v1/outbox/n9").await;
    assert_error(status, &json, 404, "there is no notification `n9`");
    assert_eq!(get_with(Daemon::default(), "/api/v1/outbox/n1").await.1["id"], "n1");
}

#[tokio::test]
async fn past_alerts_are_asked_for_by_state_and_time_page_by_page() {
    let daemon = || Daemon::default();
    let now = 1_800_000_000_000_000;
    let ask = async |path: &str| {
        let daemon = daemon();
        let asked = daemon.asked.clone();
        let (status, json) = get_with(daemon, path).await;
        let asked = asked.lock().unwrap().pop();
        (status, json, asked)
    };
    let (status, json, asked) = ask("/api/v1/alerts?state=ended&since=7d&level=error&rule=a&kind=b&name=c").await;
    let expected = FiringQuery {
        ended: true,
        rule: Some("a".into()),
        kind: Some("b".into()),
        name: Some("c".into()),
        level: Some(Level::Error),
        since: Some(Time::from_micros(now - 7 * 86_400_000_000)),
        limit: 100,
        after: None,
    };
    assert_eq!((status, asked), (200, Some(expected)));
    let next = json["next"].as_str().unwrap();
    let (_, _, asked) =
        ask(&format!("/api/v1/alerts?state=all&limit=7&since=2027-01-01T00:00:00Z&cursor={next}")).await;
    let asked = asked.unwrap();
    assert_eq!((asked.ended, asked.limit, asked.since.unwrap().to_string()), (false, 7, "2027-01-01T00:00:00Z".into()));
    assert_eq!(asked.after, Some(Cursor { seen: 100, since: Time::EPOCH, id: "f-1".into() }));
    let bad =
        ["state=gone", "state=all&since=soon", "state=all&limit=0", "limit=1001", "state=all&cursor=x", "cursor=x"];
    for query in bad {
        let (status, json, asked) = ask(&format!("/api/v1/alerts?{query}")).await;
        assert!(status == 400 && asked.is_none() && json["error"].is_string(), "{query}: {json}");
    }
    let (_, json) = get_with(daemon(), "/api/v1/alerts?limit=1").await;
    assert_eq!((json["alerts"].as_array().unwrap().len(), &json["next"]), (1, &json!("1")));
    let (_, json) = get_with(daemon(), "/api/v1/alerts?limit=1&cursor=1").await;
    assert_eq!((&json["alerts"][0]["name"], &json["next"]), (&json!("b"), &Json::Null));
    let broken = Daemon { missing: vec!["the store".into()], ..daemon() };
    let (status, json) = get_with(broken, "/api/v1/alerts?state=all").await;
    assert_error(status, &json, 500, "what is stored cannot be read: the disk is gone");
}

#[tokio::test]
async fn one_alert_is_found_by_the_beginning_of_its_id() {
    let (status, json) = get_with(Daemon::default(), "/api/v1/alerts/id-a").await;
    assert_eq!((status, &json["alert"]["name"]), (200, &json!("a")));
    let (status, json) = get_with(Daemon::default(), "/api/v1/alerts/id-").await;
    assert_error(status, &json, 409, "several alerts");
    assert!(json["hint"].as_str().unwrap().ends_with("id-a, id-b"), "{json}");
    let (status, json) = get_with(Daemon::default(), "/api/v1/alerts/nobody").await;
    assert_error(status, &json, 404, "there is no alert `nobody`");
    let (status, _) = get_with(Daemon { unavailable: true, ..Daemon::default() }, "/api/v1/alerts/id-a").await;
    assert_eq!(status, 503);
}

#[tokio::test]
async fn an_engine_that_does_not_answer_and_a_handler_that_panics_are_errors_in_json() {
    for path in ["status", "rules", "alerts", "subjects", "channels", "outbox", "outbox/n1"]
        .map(|name| format!("/api/v1/{name}"))
    {
        let (status, json) = get_with(Daemon { unavailable: true, ..Daemon::default() }, &path).await;
        assert_error(status, &json, 503, "does not answer");
        let (status, json) = get_with(Daemon { panics: true, ..Daemon::default() }, &path).await;
        assert_error(status, &json, 500, "failed on this request");
    }
}

#[tokio::test]
async fn metrics_are_given_in_the_format_that_is_asked_for() {
    for (accept, content_type, expected) in [
        (
            "*/*",
            "text/plain; version=0.0.4; charset=utf-8",
            "# HELP larum_rules Rules.\n# TYPE larum_rules gauge\nlarum_rules 3\n",
        ),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# HELP larum_rules Rules.\n# TYPE larum_rules gauge\nlarum_rules 3\n# EOF\n",
        ),
    ] {
        let daemon = Arc::new(Daemon::default());
        let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
        let request = Request::get("/metrics").header("host", "localhost:8001").header("accept", accept);
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &axum::http::HeaderValue::from_static(content_type))
        );
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_rule_is_tried_with_its_file_and_how_far_back() {
    let daemon = Arc::new(Daemon::default());
    let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
    for (body, status, said) in [
        (json!({ "file": "rules/a.rhai", "text": "x", "from": "2h" }), 200, "7200"),
        (json!({ "file": "rules/a.rhai", "text": "x" }), 200, "86400"),
        (json!({ "file": "rules/a.rhai" }), 400, "missing field `text`"),
        (json!({ "file": "rules/a.rhai", "text": "x", "from": "90d" }), 400, "at most 31d"),
    ] {
        let request = post().uri("/api/v1/replay").body(Body::from(body.to_string())).unwrap();
        let (answered, json, _) = send(router.clone(), request).await;
        assert!(answered == status && json.to_string().contains(said), "{answered} {json}");
    }
    let long = json!({ "file": "rules/a.rhai", "text": "x".repeat(2 << 20) }).to_string();
    let (status, _, _) = send(router.clone(), post().uri("/api/v1/replay").body(Body::from(long)).unwrap()).await;
    assert_eq!(status, 413);
    let request = post().uri("/api/v1/channels/ops/test").body(Body::from("{}")).unwrap();
    assert_eq!(send(router, request).await.1, json!({ "said": "`ops` took it" }));
}

#[tokio::test]
async fn the_past_is_explained_by_what_is_stored() {
    let (status, json) = get_with(Daemon::default(), "/api/v1/why?rule=known&at=2026-11-21T10:00:00Z").await;
    assert_eq!((status, &json["time"]), (200, &json!("2026-11-21T10:00:00Z")));
    let (status, json) = get_with(Daemon::default(), "/api/v1/why?rule=other&at=1h").await;
    assert_error(status, &json, 503, "another replay runs");
}

#[tokio::test]
async fn events_are_sent_as_they_happen() {
    let daemon = Arc::new(Daemon::default());
    let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
    let request = Request::get("/api/v1/events").header("host", "localhost:8001").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(body, "event: hello\nretry: 2000\ndata: {}\n\nevent: alert\ndata: {}\n\n");
}

#[tokio::test]
async fn the_dashboard_says_how_far_back_it_looks() {
    let (status, json) = get_with(Daemon::default(), "/api/v1/dashboard?duration=24h").await;
    assert_eq!((status, &json["step_seconds"]), (200, &json!(86_400.0)));
    for (query, said) in
        [("duration=1s", "between 1m and 7d"), ("limit=3000", "`limit` is at most 2000"), ("duration=x", "`duration`")]
    {
        let (status, json) = get_with(Daemon::default(), &format!("/api/v1/dashboard?{query}")).await;
        assert_error(status, &json, 400, said);
    }
}

#[tokio::test]
async fn samples_are_asked_for_with_a_subject_and_a_time() {
    let path = "/api/v1/history?kind=service&name=shop&field=rate";
    let (status, json) = get_with(Daemon::default(), &format!("{path}&from=2h&step=1m")).await;
    assert_eq!((status, &json["step_seconds"], &json["points"]), (200, &json!(60.0), &json!([[1.5, 2.0, 1.0, 3.0]])));
    for (query, said, hint) in [
        ("&from=1h&to=2h", "nothing lies between", "`from` must be before `to`"),
        ("&from=7d&step=1s", "more than 11000 points", "a longer `step`"),
        ("&from=soon", "`from` is `soon`", "write it like"),
        ("&step=x", "`step`:", ""),
    ] {
        let (status, json) = get_with(Daemon::default(), &format!("{path}{query}")).await;
        assert_error(status, &json, 400, said);
        assert!(json["hint"].as_str().unwrap_or_default().contains(hint), "{json}");
    }
    let (status, json) = get_with(Daemon::default(), "/api/v1/history?kind=service&name=pay&field=rate").await;
    assert_error(status, &json, 404, "no such subject");
}

#[tokio::test]
async fn what_is_stored_is_exported_in_the_format_that_is_asked_for() {
    let daemon = Arc::new(Daemon::default());
    let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
    for (path, content_type, expected) in [
        ("metrics?kind=host,disk&field=load", "application/x-ndjson", "kinds: {\"disk\", \"host\"}"),
        ("alerts?rule=r&format=csv", "text/csv; charset=utf-8", "rule: Some(\"r\")"),
        ("alerts?format=json", "application/json", "Json"),
    ] {
        let request = Request::get(format!("/api/v1/export/{path}")).header("host", "localhost:8001");
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
            (200, content_type)
        );
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(std::str::from_utf8(&body).unwrap().contains(expected), "{body:?}");
    }
    let (status, json) = get_with(Daemon::default(), "/api/v1/export/alerts?format=xml").await;
    assert_error(status, &json, 400, "`xml` is no format");
    let (status, json) = get_with(Daemon::default(), "/api/v1/export/metrics?since=1h&until=2h").await;
    assert_error(status, &json, 400, "nothing lies between");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_errors_in_json() {
    let (status, json) = get_with(Daemon::default(), "/metric").await;
    assert_error(status, &json, 404, "there is no /metric");
    let daemon = Arc::new(Daemon::default());
    let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
    let request = Request::delete("/api/v1/snapshots").header("host", "localhost:8001");
    let request = request.header("content-type", "application/json").body(Body::empty()).unwrap();
    let (status, json, _) = send(router.clone(), request).await;
    assert_error(status, &json, 405, "does not answer to DELETE");
    let request = post().uri("/api/v1/rules").body(Body::empty()).unwrap();
    let (status, json, headers) = send(router, request).await;
    assert_error(status, &json, 405, "does not answer to POST");
    assert_eq!(headers[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn every_route_checks_the_host_even_one_that_does_not_exist() {
    for path in ["/healthz", "/readyz", "/api/v1/status", "/api/v1/snapshots", "/nowhere"] {
        for (host, expected) in [(Some("evil.example"), 421), (None, 400), (Some("localhost.evil.example:8001"), 421)] {
            let daemon = Arc::new(Daemon::default());
            let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
            let mut request = Request::get(path);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let (status, json, _) = send(router, request.body(Body::empty()).unwrap()).await;
            assert_eq!(status, expected, "{path} as {host:?}: {json}");
            assert!(json["hint"].is_string());
        }
    }
}

#[tokio::test]
async fn a_write_of_a_foreign_page_or_without_a_json_type_never_reaches_the_engine() {
    let body = entry("a").to_string();
    let base = || Request::post("/api/v1/snapshots").header("host", "127.0.0.1:8001");
    let json = || base().header("content-type", "application/json");
    let cases = [
        (base(), 415),
        (base().header("content-type", "text/plain"), 415),
        (json().header("origin", "https://evil.example"), 403),
        (json().header("sec-fetch-site", "cross-site"), 403),
        (json().header("content-encoding", "br"), 415),
        (json().header("content-encoding", "gzip").header("content-encoding", "gzip"), 415),
    ];
    for (request, expected) in cases {
        let request = request.body(Body::from(body.clone())).unwrap();
        let (status, json, batches) = push(Engine::default(), settings(), request).await;
        assert_eq!((status, batches.len()), (expected, 0), "{json}");
    }
    let own = json().header("origin", "http://127.0.0.1:8001").header("sec-fetch-site", "same-origin");
    let (status, ..) = push(Engine::default(), settings(), own.body(Body::from(body)).unwrap()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn one_object_an_array_and_json_lines_are_pushes() {
    let array = json!([entry("a"), entry("b")]).to_string();
    let lines = format!("{}\n\n{}\n", entry("a"), entry("b"));
    let pretty = serde_json::to_string_pretty(&entry("a")).unwrap();
    for (body, taken) in [(array, 2), (lines, 2), (pretty, 1)] {
        let (status, json, batches) = push_body(body.clone()).await;
        assert_eq!((status, json), (200, json!({ "taken": taken, "duplicates": 0, "refused": [], "durable": true })));
        assert_eq!((batches.len(), batches[0].snapshots.len()), (1, taken), "{body}");
        assert_eq!((&*batches[0].source.name, batches[0].source.stale_after.as_secs()), ("push", 300));
    }
}

#[tokio::test]
async fn a_bad_entry_is_refused_with_its_index_and_the_good_ones_are_taken() {
    let body = json!([entry("a"), { "kind": "service" }, entry("late"), { "kind": "host", "name": "x", "fields": {} }, entry("b")]);
    let (status, json, batches) = push_body(body.to_string()).await;
    assert_eq!((status, &json["taken"]), (200, &json!(2)));
    let indexes: Vec<u64> = json["refused"].as_array().unwrap().iter().map(|r| r["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 2, 3]);
    assert!(json["refused"][1]["error"].as_str().unwrap().contains("older"), "{json}");
    assert!(json["refused"][2]["error"].as_str().unwrap().contains("written by larum itself"), "{json}");
    assert_eq!(batches[0].snapshots.len(), 3);
}

#[tokio::test]
async fn where_nothing_is_taken_the_answer_is_an_error_that_names_the_first_reason() {
    for body in ["", "   ", "{", "not json", "[1,2]", r#"{"kind":"larum","name":"x","fields":{}}"#, "\u{0}"] {
        let (status, json, batches) = push_body(body).await;
        assert_error(status, &json, 400, "nothing was taken");
        assert_eq!((&json["taken"], batches.len()), (&json!(0), 0), "{body:?}");
        assert!(json["hint"].is_string() && !json["refused"].as_array().unwrap().is_empty());
    }
    let (status, json, _) = push_body(entry("late").to_string()).await;
    assert_error(status, &json, 400, "older");
    let (status, json, batches) = push_body("[]").await;
    assert_eq!((status, &json["taken"], batches.len()), (200, &json!(0), 0), "an empty list is a push of nothing");
}

#[tokio::test]
async fn deep_json_is_refused_and_harms_nothing() {
    for body in ["[".repeat(1 << 20), format!("[{}]", "{\"a\":".repeat(100_000)), "[".repeat(500) + &"]".repeat(500)] {
        let (status, ..) = push_body(body).await;
        assert_eq!(status, 400);
    }
    let nested = json!({ "kind": "a", "name": "b", "fields": { "x": [[[[1]]]] } });
    assert_eq!(push_body(nested.to_string()).await.0, 400);
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_one_batch_gzip_or_not() {
    let entries: Vec<String> = (0..100_000).map(|index| entry(&format!("s{index}")).to_string()).collect();
    let lines = entries.join("\n");
    let packed = gzip(lines.as_bytes());
    let (head, tail) = lines.split_at(lines.len() / 2);
    let two_members = [gzip(head.as_bytes()), gzip(tail.as_bytes())].concat();
    for (body, encoding) in [(lines.into_bytes(), "identity"), (packed, "gzip"), (two_members, "gzip")] {
        let request = post().header("content-encoding", encoding).body(Body::from(body)).unwrap();
        let (status, json, batches) = push(Engine::default(), settings(), request).await;
        assert_eq!((status, &json["taken"]), (200, &json!(100_000)), "{encoding}");
        assert_eq!(batches.len(), 1);
    }
}

#[tokio::test]
async fn many_refused_entries_are_listed_up_to_a_bound_and_counted_beyond() {
    let (status, json, _) = push_body(format!("[{}0]", "0,".repeat(19_999))).await;
    assert_error(status, &json, 400, "entry 0");
    assert_eq!((json["refused"].as_array().unwrap().len(), &json["refused_omitted"]), (10_000, &json!(10_000)));
}

#[tokio::test]
async fn what_is_over_a_bound_is_refused_as_a_whole() {
    let small = || Settings { max_body: 100_000, max_entries: 10, ..settings() };
    let bomb = gzip(&vec![b' '; 50 << 20]);
    assert!(bomb.len() > 100_000, "a bomb that is small as sent is the next case");
    let packed = gzip(&vec![b' '; 200_000]);
    let cases = [
        (Body::from(vec![b' '; 100_001]), "identity", "the body is over 100000 bytes"),
        (Body::from(bomb), "gzip", "the body is over 100000 bytes"),
        (Body::from(packed), "gzip", "the body is over 100000 bytes"),
        (Body::from(format!("[{}0]", "0,".repeat(10))), "identity", "more than 10 entries"),
    ];
    for (body, encoding, text) in cases {
        let request = post().header("content-encoding", encoding).body(body).unwrap();
        let (status, json, _) = push(Engine::default(), small(), request).await;
        assert_error(status, &json, 413, text);
    }
    let announced = post().header("content-length", "100001").body(Body::empty()).unwrap();
    assert_eq!(push(Engine::default(), small(), announced).await.0, 413);
}

#[tokio::test]
async fn bodies_that_together_are_too_much_are_put_off() {
    let one = Settings { max_bodies: 50_000, ..settings() };
    let (status, json, _) =
        push(Engine::default(), one.clone(), post().body(Body::from(vec![b' '; 60_000])).unwrap()).await;
    assert_error(status, &json, 503, "too many large pushes");
    let request = post().body(Body::from(entry("a").to_string())).unwrap();
    assert_eq!(push(Engine::default(), one, request).await.0, 200);
}

#[tokio::test]
async fn gzip_that_is_cut_off_or_is_none_is_refused() {
    let whole = gzip(json!([entry("a"), entry("b")]).to_string().as_bytes());
    let cut = whole[..whole.len() - 5].to_vec();
    let with_tail = [whole.clone(), b"tail".to_vec()].concat();
    for body in [cut, with_tail, b"[]".to_vec(), Vec::new()] {
        let request = post().header("content-encoding", "gzip").body(Body::from(body)).unwrap();
        let (status, json, batches) = push(Engine::default(), settings(), request).await;
        assert_error(status, &json, 400, "");
        assert_eq!(batches.len(), 0);
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let errors = [
        (PushError::Busy { retry_after: Duration::from_millis(1500) }, "2", "queue is full"),
        (PushError::Stopping, "5", "stopping"),
    ];
    for (error, seconds, text) in errors {
        let engine = Engine { error: Some(error), ..Engine::default() };
        let daemon = Arc::new(Daemon::default());
        let router = router(settings(), Arc::new(engine), daemon.clone(), daemon);
        let request = post().body(Body::from(entry("a").to_string())).unwrap();
        let (status, json, headers) = send(router, request).await;
        assert_error(status, &json, 503, text);
        assert_eq!(headers[header::RETRY_AFTER], seconds);
    }
}

#[tokio::test]
async fn a_panic_while_parsing_is_an_answer_for_small_and_large_bodies() {
    for n_entries in [1, 10_000] {
        let body = Json::Array(vec![entry("a"); n_entries]).to_string();
        let engine = Engine { panics: true, ..Engine::default() };
        let (status, json, _) = push(engine, settings(), post().body(Body::from(body)).unwrap()).await;
        assert_error(status, &json, 500, "failed on this request");
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_so() {
    let hasty = Settings { request_timeout: Duration::from_millis(50), ..settings() };
    let engine = Engine { hangs: true, ..Engine::default() };
    let request = post().body(Body::from(entry("a").to_string())).unwrap();
    let (status, json, _) = push(engine, hasty.clone(), request).await;
    assert_error(status, &json, 408, "within 50ms");
    let never: futures_util::stream::Pending<Result<axum::body::Bytes, std::io::Error>> =
        futures_util::stream::pending();
    let request = post().body(Body::from_stream(never)).unwrap();
    assert_eq!(push(Engine::default(), hasty, request).await.0, 408);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let chunks = [Ok("[{\"kind\""), Err(std::io::Error::other("reset"))];
    let request = post().body(Body::from_stream(futures_util::stream::iter(chunks))).unwrap();
    let (status, json, _) = push(Engine::default(), settings(), request).await;
    assert_error(status, &json, 400, "before it was complete");
}

/// Bytes that are sometimes nearly a push.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let whole = json!([entry("a"), entry("b")]).to_string().into_bytes();
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[\\[\\]{}\",:a-z0-9 \n]{0,200}".prop_map(String::into_bytes),
        (0..whole.len(), any::<u8>(), 0..whole.len()).prop_map(move |(at, byte, cut)| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut);
            bytes
        }),
    ]
}

proptest! {
    #[test]
    fn no_bytes_are_the_servers_fault(body in bodies(), packed in any::<bool>(), encoding in prop_oneof!["gzip", "identity"]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let body = if packed { gzip(&body) } else { body };
        let request = post().header("content-encoding", encoding).body(Body::from(body)).unwrap();
        let (status, json, _) = runtime.block_on(push(Engine::default(), settings(), request));
        prop_assert!(status < 500, "{status}: {json}");
        prop_assert!(status == 200 || json["error"].is_string());
    }
}

#[tokio::test]
async fn why_needs_a_rule_and_says_what_is_not_there() {
    let (status, json) = get_with(Daemon::default(), "/api/v1/why?rule=known&kind=service&name=a").await;
    assert_eq!((status, &json["rule"]["name"], &json["subject"]["name"]), (200, &json!("known"), &json!("a")));
    let (status, json) = get_with(Daemon::default(), "/api/v1/why?rule=know").await;
    assert_error(status, &json, 404, "there is no rule `know`");
    assert_eq!(json["hint"], "did you mean `known`?");
    for (path, error) in [
        ("why", "`rule` is missing"),
        ("why?rule=", "`rule` is missing"),
        ("why?rule=known&kind=service", "`kind` without `name`"),
        ("why?rule=known&at=soon", "`at` is `soon`"),
        ("why?rule=known&subject=a", "cannot be read"),
    ] {
        let (status, json) = get_with(Daemon::default(), &format!("/api/v1/{path}")).await;
        assert_error(status, &json, 400, error);
    }
    let (status, _) = get_with(Daemon { unavailable: true, ..Daemon::default() }, "/api/v1/why?rule=known").await;
    assert_eq!(status, 503);
}
