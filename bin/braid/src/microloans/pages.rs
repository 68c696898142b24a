//! What is served beside the interface: the menus of any telephone, and the pages, from one desk.

use std::sync::Arc;

use axum::Router;
use braid_microloans_faces::{Faces, FacesConfig, PinsOfMenus};
use braid_microloans_service::{App, Config, desk::Desk, serve};
use eyre::WrapErr as _;

use crate::config::Unusable;

/// Menus and pages, as far as the configuration has a part for them.
///
/// # Errors
/// If that part cannot be followed.
pub(crate) fn pages(app: &App, config: &Config) -> eyre::Result<Router> {
    let menus = serve::menus(app).map_err(super::unusable)?;
    let Some(part) = &config.pages else { return Ok(menus) };
    let part: FacesConfig = part.clone().try_into().map_err(|error| Unusable(format!("pages: {error}")))?;
    let pins = PinsOfMenus(Arc::new(Desk::new(app.clone())));
    let faces = Faces::new(app.clone(), &part, Arc::new(pins)).wrap_err("failed to open the pages");
    let faces = faces.map_err(|error| Unusable(format!("{error:#}")))?;
    Ok(menus.merge(braid_microloans_faces::router(faces)))
}
