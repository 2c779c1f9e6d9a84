//! Real image files: JPEG, made from drawn pixels.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use traffic::images::draw;

/// Size of a picture, pixels.
pub const WIDTH: u32 = 640;
/// Size of a picture, pixels.
pub const HEIGHT: u32 = 480;
/// Longest side of a thumbnail, pixels.
pub const THUMBNAIL: u32 = 320;
/// JPEG quality.
const QUALITY: u8 = 80;

/// A picture's file.
pub fn jpeg(number: u64) -> Bytes {
    encode(number, WIDTH, HEIGHT)
}

/// A picture's thumbnail file: the same drawing, smaller.
pub fn thumbnail(number: u64) -> Bytes {
    encode(number, THUMBNAIL, THUMBNAIL * HEIGHT / WIDTH)
}

fn encode(number: u64, width: u32, height: u32) -> Bytes {
    let pixels = draw(number, width, height);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, QUALITY)
        .write_image(&pixels.rgb, width, height, ExtendedColorType::Rgb8)
        .expect("pixels of the right number");
    file.into()
}
