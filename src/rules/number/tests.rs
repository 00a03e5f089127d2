use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

#[test]
fn division_never_truncates_and_by_zero_is_no_data() {
    assert_eq!(calculate(Arithmetic::Divide, 5.into(), 2.into()), Ok(Number::Fraction(2.5)));
    assert_eq!(calculate(Arithmetic::Divide, 4.into(), 2.into()), Ok(Number::Fraction(2.0)));
    for zero in [Number::Whole(0), Number::Fraction(0.0), Number::Fraction(-0.0)] {
        for operator in [Arithmetic::Divide, Arithmetic::Remainder] {
            assert_eq!(calculate(operator, 1.0.into(), zero), Err(NoData::DivisionByZero), "{operator:?} {zero:?}");
            assert_eq!(calculate(operator, 0.into(), zero), Err(NoData::DivisionByZero), "{operator:?} {zero:?}");
        }
    }
}

#[test]
fn a_result_that_is_not_finite_is_no_data() {
    let cases = [
        (Arithmetic::Multiply, 1e308, 10.0),
        (Arithmetic::Add, f64::MAX, f64::MAX),
        (Arithmetic::Power, -1.0, 0.5),
        (Arithmetic::Subtract, f64::INFINITY, f64::INFINITY),
        (Arithmetic::Power, 0.0, -1.0),
    ];
    for (operator, a, b) in cases {
        let result = calculate(operator, a.into(), b.into());
        assert!(matches!(result, Err(NoData::NotFinite { .. })), "{a} {} {b}: {result:?}", operator.symbol());
    }
    assert!(compare(f64::NAN.into(), 1.into()).is_err());
    assert!(compare(1.into(), f64::INFINITY.into()).is_err());
}

#[test]
fn whole_numbers_that_overflow_become_fractions_and_never_panic() {
    let (min, max) = (Number::Whole(i64::MIN), Number::Whole(i64::MAX));
    assert_eq!(calculate(Arithmetic::Add, max, 1.into()), Ok(Number::Fraction(9_223_372_036_854_775_808.0)));
    assert_eq!(calculate(Arithmetic::Multiply, min, (-1).into()), Ok(Number::Fraction(9_223_372_036_854_775_808.0)));
    assert_eq!(calculate(Arithmetic::Remainder, min, (-1).into()), Ok(Number::Whole(0)));
    assert_eq!(calculate(Arithmetic::Power, 2.into(), 10.into()), Ok(Number::Whole(1024)));
    assert_eq!(calculate(Arithmetic::Power, 2.into(), (-1).into()), Ok(Number::Fraction(0.5)));
}

#[test]
fn comparison_is_exact_and_knows_no_epsilon() {
    let sum = calculate(Arithmetic::Add, 0.1.into(), 0.2.into()).unwrap();
    assert_eq!(compare(sum, 0.3.into()), Ok(Ordering::Greater));
    assert_eq!(compare(9_007_199_254_740_993.into(), 9_007_199_254_740_992.0.into()), Ok(Ordering::Greater));
    assert_eq!(compare(i64::MAX.into(), 9_223_372_036_854_775_808.0.into()), Ok(Ordering::Less));
    assert_eq!(compare(i64::MIN.into(), (-9_223_372_036_854_775_808.0).into()), Ok(Ordering::Equal));
    assert_eq!(compare(0.into(), (-0.0).into()), Ok(Ordering::Equal));
    assert_eq!(compare((-3).into(), (-3.5).into()), Ok(Ordering::Greater));
}

proptest! {
    #[test]
    fn a_whole_number_compares_with_a_fraction_as_in_wider_arithmetic(whole in any::<i64>(), eighths in any::<i32>()) {
        let fraction = f64::from(eighths) / 8.0;
        let expected = (i128::from(whole) * 8).cmp(&i128::from(eighths));
        prop_assert_eq!(compare(whole.into(), fraction.into()), Ok(expected));
        prop_assert_eq!(compare(fraction.into(), whole.into()), Ok(expected.reverse()));
    }

    #[test]
    fn nothing_panics_and_every_result_is_finite(a in any::<i64>(), b in any::<f64>(), operator in 0..6_usize) {
        for (x, y) in [(Number::from(a), Number::from(b)), (b.into(), a.into()), (a.into(), a.into()), (b.into(), b.into())] {
            if let Ok(result) = calculate(Arithmetic::ALL[operator], x, y) {
                prop_assert!(result.as_f64().is_finite());
            }
        }
    }
}
