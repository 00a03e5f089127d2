//! Quantiles of a scraped histogram.
//!
//! As PromQL's `histogram_quantile` (source: `bucketQuantile` in Prometheus 2.42's `promql/quantile.go`): linear inside the
//! bucket in which the quantile falls, the lowest one beginning at 0; in the last one, the bound before it.

/// A bucket: how many observations were at most `bound`, per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Its `le`.
    pub(crate) bound: f64,
    /// How many observations a second are at most that.
    pub(crate) rate: f64,
}

/// The bound of the bucket of a histogram that a field is: `x_bucket{le="0.5"}` is one of `x`.
pub(crate) fn bound(field: &str, histogram: &str) -> Option<f64> {
    let text = field.strip_prefix(histogram)?.strip_prefix("_bucket{le=\"")?.strip_suffix("\"}")?;
    match text {
        "+Inf" => Some(f64::INFINITY),
        text => text.parse().ok().filter(|bound: &f64| bound.is_finite()),
    }
}

/// The quantile; NaN where nothing was observed, or the last bucket, which takes everything, is missing.
pub(crate) fn quantile(mut buckets: Vec<Bucket>, share: f64) -> f64 {
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    // Buckets are not read in one moment: a lower one may have grown more.
    let mut most = 0.0_f64;
    for bucket in &mut buckets {
        most = most.max(bucket.rate);
        bucket.rate = most;
    }
    let (Some(last), Some(before_last)) = (buckets.last(), buckets.len().checked_sub(2)) else { return f64::NAN };
    if last.bound != f64::INFINITY || last.rate == 0.0 {
        return f64::NAN;
    }
    let rank = share * last.rate;
    let index = buckets.iter().position(|bucket| bucket.rate >= rank).unwrap_or(before_last);
    if index > before_last {
        return buckets[before_last].bound;
    }
    let Bucket { bound, rate } = buckets[index];
    let (start, below) = match index.checked_sub(1) {
        Some(before) => (buckets[before].bound, buckets[before].rate),
        None if bound <= 0.0 => return bound,
        None => (0.0, 0.0),
    };
    start + (bound - start) * ((rank - below) / (rate - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64)], share: f64) -> f64 {
        quantile(buckets.iter().map(|(bound, rate)| Bucket { bound: *bound, rate: *rate }).collect(), share)
    }

    #[test]
    fn a_quantile_is_linear_inside_its_bucket() {
        const INF: f64 = f64::INFINITY;
        type Case<'a> = (&'a str, &'a [(f64, f64)], f64, f64);
        let cases: [Case<'_>; 7] = [
            ("in the middle bucket", &[(0.1, 2.0), (0.5, 6.0), (1.0, 8.0), (INF, 10.0)], 0.4, 0.3),
            ("the lowest begins at 0", &[(0.1, 2.0), (0.5, 6.0), (INF, 10.0)], 0.1, 0.05),
            ("above all bounds", &[(0.1, 2.0), (0.5, 6.0), (INF, 10.0)], 0.9, 0.5),
            ("in any order", &[(INF, 10.0), (0.5, 6.0), (0.1, 2.0)], 0.4, 0.3),
            ("a lowest bucket of negative numbers", &[(-1.0, 2.0), (0.0, 4.0), (INF, 4.0)], 0.25, -1.0),
            ("a bucket that lags behind", &[(0.1, 2.0), (0.5, 1.0), (INF, 4.0)], 0.5, 0.1),
            ("all of it", &[(0.1, 2.0), (0.5, 4.0), (INF, 4.0)], 1.0, 0.5),
        ];
        for (what, buckets, share, expected) in cases {
            let got = histogram(buckets, share);
            assert!((got - expected).abs() < 1e-12, "{what}: {got} is not {expected}");
        }
    }

    #[test]
    fn a_histogram_without_observations_or_without_its_last_bucket_has_no_quantile() {
        assert!(histogram(&[(0.1, 0.0), (f64::INFINITY, 0.0)], 0.5).is_nan());
        assert!(histogram(&[(0.1, 1.0), (0.5, 2.0)], 0.5).is_nan());
        assert!(histogram(&[(f64::INFINITY, 2.0)], 0.5).is_nan());
    }

    #[test]
    fn a_bucket_names_its_histogram_and_its_bound() {
        assert_eq!(bound("x_bucket{le=\"0.5\"}", "x"), Some(0.5));
        assert_eq!(bound("x_bucket{le=\"+Inf\"}", "x"), Some(f64::INFINITY));
        for other in ["x", "x_count", "xy_bucket{le=\"0.5\"}", "x_bucket{le=\"a\"}", "x_bucket{le=\"NaN\"}"] {
            assert_eq!(bound(other, "x"), None, "{other}");
        }
    }
}
