//! The dashboard: files that are in the binary, as they are in `web/`.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::openapi::Doc;

/// A file, by its path under `/assets/`.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! assets {
    ($($path:literal: $content_type:expr),* $(,)?) => {
        &[$(Asset { path: $path, content_type: $content_type, bytes: include_bytes!(concat!("web/", $path)) }),*]
    };
}

/// All of them.
const ASSETS: &[Asset] = assets![
    "index.html": "text/html; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "app.css": STYLE,
    "acts.js": SCRIPT,
    "api.js": SCRIPT,
    "app.js": SCRIPT,
    "chart.js": SCRIPT,
    "dom.js": SCRIPT,
    "format.js": SCRIPT,
    "parts.js": SCRIPT,
    "words.js": SCRIPT,
    "pages/alerts.js": SCRIPT,
    "pages/channels.js": SCRIPT,
    "pages/lab.js": SCRIPT,
    "pages/now.js": SCRIPT,
    "pages/rules.js": SCRIPT,
    "pages/silences.js": SCRIPT,
    "pages/subject.js": SCRIPT,
    "vendor/uplot.js": SCRIPT,
    "vendor/uplot.css": STYLE,
    "vendor/uplot.LICENSE": "text/plain; charset=utf-8",
];

pub(super) async fn index() -> Result<Response, ApiError> {
    find("index.html")
}

pub(super) async fn asset(Path(path): Path<String>) -> Result<Response, ApiError> {
    find(&path)
}

fn find(path: &str) -> Result<Response, ApiError> {
    let asset = ASSETS.iter().find(|asset| asset.path == path);
    let asset = asset.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("there is no /assets/{path}")))?;
    Ok(([(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response())
}

pub(super) fn index_doc() -> Doc {
    Doc::new("dashboard_page", "The dashboard").answers_text(&["text/html"], "A page for browsers.")
}

pub(super) fn asset_doc() -> Doc {
    Doc::new("dashboard_file", "A file of the dashboard")
        .path("path", "Its path.")
        .answers_text(&["text/javascript", "text/css", "image/svg+xml", "text/plain"], "The file.")
        .fails(StatusCode::NOT_FOUND, "There is no such file.")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn all_files_of_the_dashboard_are_served_and_small() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/web");
        let mut folders = vec![folder.clone()];
        let mut packed = 0;
        while let Some(inside) = folders.pop() {
            for entry in std::fs::read_dir(inside).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_string();
                if name.ends_with("SHA256SUMS") {
                    continue;
                }
                assert!(ASSETS.iter().any(|asset| asset.path == name), "{name} is not in the list");
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                gzip.write_all(&std::fs::read(path).unwrap()).unwrap();
                packed += gzip.finish().unwrap().len();
            }
        }
        assert!(packed < 150_000, "{packed} bytes, packed");
    }

    #[test]
    fn what_others_wrote_is_as_they_wrote_it() {
        let sums = include_str!("web/vendor/SHA256SUMS");
        for line in sums.lines().filter(|line| !line.starts_with('#')) {
            let (sum, name) = line.split_once("  ").unwrap();
            let asset = ASSETS.iter().find(|asset| asset.path == format!("vendor/{name}")).unwrap();
            let digest: String = Sha256::digest(asset.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, sum, "{name}");
        }
    }
}
