//! The OpenAPI document, made from the handlers; `openapi.json` beside the manifest is its text, and a test compares them.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use crate::api::{approvals, books, loans, people};

/// The document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Braid micro-loans", description = "The books of micro-loans, and what borrowers, officers, treasurers and auditors do with them."),
    paths(
        people::register, people::open, people::find,
        loans::products, loans::apply, loans::list, loans::get, loans::key_facts, loans::review, loans::reject,
        loans::withdraw, loans::accept, loans::decline, loans::fund, loans::disburse, loans::collect, loans::hold,
        loans::schedule, loans::events, loans::legs,
        approvals::propose, approvals::pending, approvals::decide,
        books::entries, books::proof, books::day, books::accounts, books::inspection, books::suspense,
        books::contradictions, books::log, books::portfolio, books::reconciliations, books::complaints,
        books::answer_complaint, books::oddities,
    ),
    modifiers(&Bearer),
    security(("token" = []))
)]
pub struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Its text, as it is committed.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn text() -> Result<String, serde_json::Error> {
    Document::openapi().to_pretty_json().map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `BRAID_WRITE_OPENAPI=1` writes the file.
    #[test]
    fn the_committed_document_is_the_handlers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let text = text().unwrap();
        if std::env::var_os("BRAID_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == text, "the interface has changed: write openapi.json again with BRAID_WRITE_OPENAPI=1");
    }
}
