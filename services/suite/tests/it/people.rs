//! Accounts of a test, and what they post.

use std::io::Cursor;

use serde_json::{Value, json};
use testkit::post;

use crate::application::Application;

/// All accounts'.
pub const PASSWORD: &str = "correct horse battery";

/// A user who is logged in.
pub struct Account {
    pub id: String,
    pub token: String,
}

/// Opens an account.
pub async fn sign_up(application: &Application, handle: &str) -> Account {
    let new = json!({ "handle": handle, "name": handle, "password": PASSWORD });
    let session = post("/v1/users").key(handle).json(new).send_to(&application.rest).await.expect(201);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    Account { id: text(&session["user"]["id"]), token: text(&session["token"]) }
}

/// A PNG.
pub fn picture() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::ImageRgb8(image::RgbImage::new(8, 8))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("encodes");
    bytes.into_inner()
}
