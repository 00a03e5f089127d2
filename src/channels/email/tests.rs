use super::*;
use crate::channels::message::samples;
use crate::channels::{Configured, Texts, parse};
use crate::config::Fixed;
use crate::model::{EventKind, Time};

const FILE: &str = "type: email\nhost: mail.example.org\nfrom: Larum <larum@example.org>\nto: [ops@example.org, \"值班 <duty@example.org>\"]\n";

fn channel(yaml: &str) -> Configured {
    parse(&"mail".into(), "channels/mail.yaml", yaml, &Fixed::env([("PASSWORD", "hunter2")])).unwrap()
}

fn sealed(channel: &Configured, notification: &Notification) -> String {
    let request = channel.render(notification, &Texts::default()).unwrap();
    let attempt = Attempt { id: notification.id.clone(), number: 1, time: Time::EPOCH, reached: Vec::new() };
    let Sealed::Mail(mail) = channel.seal(&request, &attempt).unwrap() else { panic!("a mail") };
    String::from_utf8(mail.message).unwrap()
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let head = mail.split("\r\n\r\n").next().unwrap();
    let mut found = head.split("\r\n").filter_map(|line| line.split_once(": ")).filter(|(key, _)| *key == name);
    let value = found.next().unwrap_or_else(|| panic!("{name} in {head}")).1;
    assert!(found.next().is_none(), "{name} stands once");
    value
}

#[test]
fn a_mail_has_the_headers_that_readers_and_machines_look_at() {
    let mail = sealed(&channel(FILE), &samples()[0]);
    assert_eq!(header(&mail, "Subject"), "[warning] high_error_rate shop-api");
    assert_eq!(header(&mail, "Date"), "Sat, 21 Nov 2026 10:00:00 +0000");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&mail, "X-Auto-Response-Suppress"), "All");
    assert_eq!(header(&mail, "MIME-Version"), "1.0");
    assert_eq!(header(&mail, "From"), "Larum <larum@example.org>");
    assert!(header(&mail, "To").starts_with("ops@example.org, =?utf-8?b?"), "{}", header(&mail, "To"));
    assert!(header(&mail, "List-Id").ends_with(".larum.example.org>"));
    let (text, html) = (mail.find("text/plain").unwrap(), mail.find("text/html").unwrap());
    assert!(text < html, "the richest part comes last");
    assert!(mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
}

#[test]
fn raise_and_recovery_of_one_firing_are_one_conversation_of_different_mails() {
    let channel = channel(FILE);
    let all = samples();
    let of = |event| all.iter().find(|sample| sample.alerts[0].event == event).unwrap();
    let raised = sealed(&channel, of(EventKind::Raised));
    let recovered = sealed(&channel, of(EventKind::Recovered));
    for name in ["References", "In-Reply-To"] {
        assert_eq!(header(&raised, name), header(&recovered, name));
    }
    assert_ne!(header(&raised, "Message-ID"), header(&recovered, "Message-ID"));
    let mut other = of(EventKind::Raised).clone();
    other.alerts[0].id = "another".into();
    assert_ne!(header(&raised, "References"), header(&sealed(&channel, &other), "References"));
}

#[test]
fn no_text_can_add_a_header_or_a_recipient() {
    let mut notification = samples().remove(0);
    let evil = "x\r\nBcc: evil@example.com\r\n\r\n<body>\n.\nRCPT TO:<evil@example.com>";
    notification.alerts[0].rule = evil.into();
    notification.alerts[0].subject.name = evil.into();
    notification.alerts[0].id = evil.into();
    notification.id = evil.into();
    notification.channel = evil.into();
    let mail = sealed(&channel(FILE), &notification);
    let head = mail.split("\r\n\r\n").next().unwrap();
    assert!(!head.split("\r\n").any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
    assert!(head.contains("boundary="), "the head ends where it should: {head}");
}

#[test]
fn a_recipient_who_has_it_is_not_asked_again() {
    let channel = channel(FILE);
    let request = channel.render(&samples()[0], &Texts::default()).unwrap();
    let attempt = Attempt { id: "n".into(), number: 2, time: Time::EPOCH, reached: vec![0] };
    let Sealed::Mail(mail) = channel.seal(&request, &attempt).unwrap() else { panic!("a mail") };
    assert_eq!(
        mail.to.iter().map(|(place, to)| (*place, to.to_string())).collect::<Vec<_>>(),
        [(1, "duty@example.org".to_string())]
    );
}

#[test]
fn a_file_that_cannot_work_is_refused_with_every_reason() {
    let problems = |yaml: &str| {
        let found = parse(&"mail".into(), "m.yaml", yaml, &Fixed::env([("PASSWORD", "hunter2")])).unwrap_err();
        found.iter().map(|problem| problem.to_string()).collect::<Vec<_>>()
    };
    let found = problems(
        "type: email\nhost: mail.example.org\ntls: none\nusername: me\npassword: ${env:PASSWORD}\nfrom: nobody\nto: [\"a@b.org\\r\\nBcc: c@d.org\", ok@example.org]\n",
    );
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().any(|problem| problem.starts_with("m.yaml:4:11: error: with `tls: none`")), "{found:?}");
    assert!(
        found.iter().any(|problem| problem.starts_with("m.yaml:6:7: error: `from` is not a mail address")),
        "{found:?}"
    );
    assert!(problems(&format!("{FILE}username: me\n"))[0].contains("needs a `password`"));
    assert!(problems(&format!("{FILE}tls_ca: nonsense\n"))[0].contains("`tls_ca` holds no certificates"));
    assert!(problems(&FILE.replace("[ops", "[] #"))[0].contains("no recipient"));
}
