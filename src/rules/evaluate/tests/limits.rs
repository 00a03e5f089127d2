//! What a script cannot do to the engine or to another rule.

use super::*;

fn subject() -> Context {
    let mut bench = Bench::new();
    bench.push(0, "service", "a", &[("region", "eu")], &[("x", num(1.0))]);
    bench.push(0, "service", "b", &[("region", "eu")], &[("x", num(1.0))]);
    bench.subject("service", "a")
}

#[track_caller]
fn fault_of(when: &str) -> Fault {
    match rule(when).judge(&subject(), &[]).verdict {
        Verdict::Error(fault) => fault,
        other => panic!("{when}: {other:?}"),
    }
}

#[test]
fn an_endless_loop_ends_also_inside_what_a_native_function_calls() {
    for text in [
        "|s| { loop {} }",
        "|s| { let n = 0; while n >= 0 { n += 1; } true }",
        "|s| { [1, 2].map(|x| { loop {} }); true }",
        "|s| s.peers(\"region\").filter(|p| { loop {} }).len() > 0",
        "|s| s.peers(\"region\").any(|p| s.peers(\"region\").all(|q| { loop {} }))",
        "|s| { try { loop {} } catch { } true }",
        "|s| { loop { try { loop {} } catch { } } }",
        "|s| { let f = || { loop {} }; f.call(); true }",
        "|s| { loop { s.peers([]).len(); } }",
        "|s| { loop { s.avg(\"x\", \"5m\"); } }",
    ] {
        let fault = fault_of(text);
        assert!(fault.runaway, "{text}: {fault:?}");
        assert!(fault.message.contains("operations"), "{text}: {fault:?}");
        assert_eq!(fault.line, 1, "{text}");
    }
}

#[test]
fn what_a_native_function_calls_counts_together_with_the_rest() {
    // 1,000 calls of 1,000 operations each: no single call is too long.
    let fault = fault_of("|s| { for i in 0..1000 { [1].map(|x| { for j in 0..1000 { } }); } true }");
    assert!(fault.runaway, "{fault:?}");
}

#[test]
fn deep_recursion_ends_as_an_error_on_a_small_stack() {
    let sums = format!("fn f(n) {{ {}f(n + 1){} }} |s| f(0) > 1", "(".repeat(10), " + 1)".repeat(10));
    let texts = [
        "fn f(n) { f(n + 1) } |s| f(0)".to_string(),
        "fn f(n) { if n > 0 { [n].map(|x| f(x + 1))[0] } else { 0 } } |s| f(1) == 0".to_string(),
        sums,
        "|s| { let f = |g, n| g.call(g, n + 1); f.call(f, 0) > 1 }".to_string(),
    ];
    for text in texts {
        let shown = text.clone();
        let run = std::thread::Builder::new().stack_size(2 << 20).spawn(move || fault_of(&text)).unwrap();
        let fault = run.join().unwrap();
        assert!(fault.runaway && fault.message.contains("too deeply"), "{shown}: {fault:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    for text in [
        "|s| { let t = \"x\"; loop { t += t; } }",
        "|s| { let t = \"x\"; t.pad(1000000000, 'x'); true }",
        "|s| { let a = []; loop { a.push(1); } }",
        "|s| { let a = []; loop { a = [a, a]; } }",
        "|s| { let a = []; loop { a = [a]; } }",
        "|s| { let m = #{}; let n = 0; loop { m[`k${n}`] = n; n += 1; } }",
        "|s| { let m = #{}; loop { m = #{ m: m }; } }",
    ] {
        let fault = fault_of(text);
        assert!(fault.runaway, "{text}: {fault:?}");
    }
}

#[test]
fn a_panic_in_a_host_function_is_a_fault_and_the_next_evaluation_is_well() {
    for text in
        ["|s| panic_now() > 1", "|s| [1].map(|x| panic_now()).len() > 1", "|s| s.peers([]).any(|p| panic_now() > 1)"]
    {
        let fault = fault_of(text);
        assert!(fault.runaway && fault.message.contains("panicked"), "{fault:?}");
    }
    expect(&subject(), "|s| s.x == 1", Say::Yes);
}

#[test]
fn no_handle_keeps_the_world_alive_after_an_evaluation() {
    let mut context = subject();
    let texts = [
        "|s| s.x == 1",
        "|s| s.peers([]).len() == 2",
        "|s| { throw s }",
        "|s| { loop {} }",
        "|s| s.lost > 1",
        "|s| panic_now() > 1",
        "|s| { let a = [s, all(\"service\")]; a.push(|| s); a }",
        "|s| { let a = [s]; let f = || a; a.push(f); true }",
    ];
    for text in texts {
        rule(text).judge(&context, &[]);
        assert!(Arc::get_mut(&mut context.world).is_some(), "{text}");
    }
}

#[test]
fn the_operations_of_a_rule_in_one_step_are_bounded_over_its_subjects() {
    let context = subject();
    let expensive = rule("|s| { for i in 0..20000 { } true }");
    let mut n_judged = 0;
    let fault = loop {
        match expensive.judge(&context, &[]).verdict {
            Verdict::Conditions(_) => n_judged += 1,
            Verdict::Error(fault) => break fault,
            other => panic!("{other:?}"),
        }
        assert!(n_judged < 10_000);
    };
    assert!(n_judged > 100, "{n_judged}");
    assert!(fault.runaway, "{fault:?}");
    let fault = match expensive.judge(&context, &[]).verdict {
        Verdict::Error(fault) => fault,
        other => panic!("{other:?}"),
    };
    assert!(fault.message.contains("of one step"), "{fault:?}");
}

#[test]
fn prints_are_collected_and_cut() {
    let context = subject();
    let printed = |when: &str| {
        rule(when).judge(&context, &[]);
        context.budget.take_prints()
    };
    let prints = printed("|s| { print(`x is ${s.x}`); debug(s.x); true }");
    assert_eq!(prints[0], "x is 1");
    assert_eq!(prints.len(), 2);
    assert_eq!(printed("|s| { for i in 0..1000 { print(i); } true }").len(), 11);
}
