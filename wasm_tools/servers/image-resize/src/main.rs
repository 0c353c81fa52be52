//! The image-resize server: six tools that describe, resize and compare images.
//!
//! Answers as the server of the same name over Pillow and imagehash does: what is wrong with
//! an image is said in the answer's `error`, beside its path. Unlike there such an answer is a
//! failure for MCP too, where nothing was done.

mod base64;
mod compare;
mod decode;
mod fault;
mod hash;
mod header;
mod picture;
mod read;
mod save;
mod scale;
mod scan;
mod vp8;

use wasmmcp::{json, tool, Answer, CallResult, Map, Path, ToolError, Value};

use fault::{room, Fault, Outcome};
use read::{open, Opened};
use save::Format;
use scale::Target;

/// How often an image stands in memory until the answer is written: as bytes, as base64, and
/// twice in the answer and its JSON.
const COPIES: u64 = 10;

/// As Python's `round`: to the nearest, by the exact value of the number.
fn rounded(number: f64, places: usize) -> f64 {
    format!("{number:.places$}").parse().unwrap_or(number)
}

fn ratio(part: u64, whole: u64) -> Value {
    match whole {
        0 => 0.into(),
        _ => rounded(part as f64 / whole as f64, 4).into(),
    }
}

/// The answer, as a failure where it says `error` or `"failed"` is all of it.
fn answered(answer: Value) -> CallResult {
    let failed = answer.get("error").is_some()
        || (answer.get("successful") == Some(&json!(0)) && answer.get("failed") != Some(&json!(0)));
    match failed {
        true => answer.answer().failed(),
        false => answer.answer(),
    }
}

fn info(path: &str) -> Value {
    match open(path) {
        Ok(Opened {
            header, size_bytes, ..
        }) => json!({
            "path": path,
            "format": header.kind.name(),
            "mode": header.mode.name(),
            "width": header.width,
            "height": header.height,
            "size_bytes": size_bytes,
            "aspect_ratio": rounded(f64::from(header.width) / f64::from(header.height), 2),
        }),
        Err(fault) => json!({"path": path, "error": fault.to_string()}),
    }
}

/// A resized image as a file.
struct Resized {
    file: Vec<u8>,
    size: (u32, u32),
}

fn resized(image: &Opened, target: Target, format: Format, quality: i64) -> Outcome<Resized> {
    let (width, height) = (image.header.width, image.header.height);
    let size = target.size(width, height)?;
    let picture = match target {
        Target::Within(most) if size != (width, height) => {
            let shrink = image.shrink(u32::try_from(most).unwrap_or(u32::MAX));
            let [wide, high] = [width, height].map(|side| f64::from(side) / f64::from(shrink));
            scale::thumbnail(image.decode(shrink)?, (wide, high), size.0, size.1)?
        }
        _ => scale::resize(image.decode(1)?, size.0, size.1)?,
    };
    let file = format.write(&picture, quality)?;
    Ok(Resized { file, size })
}

/// Describe an image: format, size, colour mode.
///
/// Usually the first step. Nothing is decoded, so this is quick for images of any size.
#[tool(title = "Get image info", read_only, idempotent, open_world = false)]
fn get_image_info(
    /// The image.
    image_path: Path,
) -> CallResult {
    answered(info(&image_path))
}

/// Resize an image and give it as base64.
///
/// Takes a width and a height, one of them (the other follows from the proportions), or
/// max_size, which neither side will exceed. Reads JPEG, PNG, GIF, WebP and BMP.
#[tool(title = "Resize an image", read_only, idempotent, open_world = false)]
fn resize_image(
    /// The image.
    image_path: Path,
    /// The new width in pixels.
    width: Option<i64>,
    /// The new height in pixels.
    height: Option<i64>,
    /// The longest side in pixels; a smaller image keeps its size.
    max_size: Option<i64>,
    /// From 1 (smallest file) to 100 (best), for JPEG and WEBP.
    #[default(85)]
    quality: i64,
    /// The format of the result.
    #[default("JPEG")]
    output_format: Format,
) -> CallResult {
    // Zero means the same as none.
    let [width, height, max_size] =
        [width, height, max_size].map(|side| side.filter(|side| *side != 0));
    let target = match (max_size, width, height) {
        (Some(most), _, _) => Some(Target::Within(most)),
        (None, Some(width), Some(height)) => Some(Target::Exactly(width, height)),
        (None, Some(width), None) => Some(Target::Width(width)),
        (None, None, Some(height)) => Some(Target::Height(height)),
        (None, None, None) => None,
    };
    let answer = resize_answer(&image_path, target, output_format, quality);
    answered(answer.unwrap_or_else(
        |fault| json!({"success": false, "error": fault.to_string(), "path": &*image_path}),
    ))
}

fn resize_answer(
    path: &str,
    target: Option<Target>,
    format: Format,
    quality: i64,
) -> Outcome<Value> {
    let image = open(path)?;
    let target = target.ok_or_else(|| {
        Fault::new("no resize parameters: give width, height or both, or max_size")
    })?;
    let Resized { file, size } = resized(&image, target, format, quality)?;
    let output_bytes = file.len() as u64;
    room(
        output_bytes.saturating_mul(COPIES),
        "the answer with this image",
    )?;
    Ok(json!({
        "success": true,
        "path": path,
        "original_size": [image.header.width, image.header.height],
        "new_size": [size.0, size.1],
        "original_bytes": image.size_bytes,
        "output_bytes": output_bytes,
        "reduction_ratio": ratio(output_bytes, image.size_bytes),
        "format": format.name(),
        "data_base64": base64::encode(&file),
    }))
}

/// List the image files of a directory, told by their extensions.
///
/// Usually the first step of work on many images.
#[tool(title = "Scan a directory", read_only, idempotent, open_world = false)]
fn scan_directory(
    /// The directory.
    directory: Path,
    /// Extensions to look for, such as ".png"; without them all usual ones.
    extensions: Option<Vec<String>>,
    /// Whether to look into the directories in it.
    #[default(true)]
    recursive: bool,
    /// Whether to describe each image as get_image_info does.
    #[default(false)]
    include_info: bool,
) -> CallResult {
    let Some(found) = scan::scan(&directory, extensions.as_deref(), recursive) else {
        let error = format!("Directory not found: {}", &*directory);
        return answered(json!({ "error": error }));
    };
    let mut answer = Map::new();
    answer.insert("directory".into(), directory.0.into());
    answer.insert("image_count".into(), found.paths.len().into());
    answer.insert("total_size_bytes".into(), found.total_bytes.into());
    let mib = found.total_bytes as f64 / f64::from(1 << 20);
    answer.insert("total_size_mb".into(), rounded(mib, 2).into());
    if include_info {
        let images = found.paths.iter().map(|path| info(path)).collect();
        answer.insert("images".into(), Value::Array(images));
    }
    answer.insert("image_paths".into(), found.paths.into());
    if !found.passed_over.is_empty() {
        answer.insert("passed_over".into(), found.passed_over.into());
    }
    answered(Value::Object(answer))
}

/// Compute a perceptual hash of an image, to find duplicates with compare_hashes.
#[tool(
    title = "Compute an image's hash",
    read_only,
    idempotent,
    open_world = false
)]
fn compute_image_hash(
    /// The image.
    image_path: Path,
    /// What the hash looks at: frequencies, differences, brightness or wavelets.
    #[default("phash")]
    hash_type: hash::Kind,
) -> CallResult {
    let hash = open(&image_path).and_then(|image| hash_type.compute(image.decode(1)?));
    answered(match hash {
        Ok(hash) => json!({"path": &*image_path, "hash": hash, "hash_type": hash_type.name()}),
        Err(fault) => json!({"path": &*image_path, "error": fault.to_string()}),
    })
}

/// Find duplicates among images by their hashes.
///
/// First call compute_image_hash for each image, then give all its answers in one list.
#[tool(title = "Compare hashes", read_only, idempotent, open_world = false)]
fn compare_hashes(
    /// Answers of compute_image_hash: objects with path and hash.
    hashes: Vec<Map>,
    /// In how many bits the hashes of similar images may differ.
    #[default(5)]
    threshold: i64,
) -> Result<Value, ToolError> {
    Ok(compare::compare(hashes, threshold)?)
}

/// Try out for many images how small they become, as thumbnails for example.
///
/// Gives sizes, not the images; those come from resize_image.
#[tool(
    title = "Resize many images",
    read_only,
    idempotent,
    open_world = false
)]
fn batch_resize(
    /// The images.
    image_paths: Vec<Path>,
    /// The longest side in pixels; a smaller image keeps its size.
    #[default(150)]
    max_size: i64,
    /// From 1 (smallest file) to 100 (best), for JPEG and WEBP.
    #[default(75)]
    quality: i64,
    /// The format of the results.
    #[default("JPEG")]
    output_format: Format,
) -> CallResult {
    let (mut input_bytes, mut output_bytes, mut successful) = (0, 0, 0);
    let mut results = Vec::with_capacity(image_paths.len());
    for path in &image_paths {
        let done = open(path).and_then(|image| {
            input_bytes += image.size_bytes;
            let done = resized(&image, Target::Within(max_size), output_format, quality)?;
            Ok((image.size_bytes, done))
        });
        results.push(match done {
            Ok((original_bytes, Resized { file, size })) => {
                output_bytes += file.len() as u64;
                successful += 1;
                json!({
                    "path": &**path,
                    "success": true,
                    "original_bytes": original_bytes,
                    "output_bytes": file.len(),
                    "new_size": [size.0, size.1],
                })
            }
            Err(fault) => json!({"path": &**path, "success": false, "error": fault.to_string()}),
        });
    }
    answered(json!({
        "total_images": image_paths.len(),
        "successful": successful,
        "failed": image_paths.len() - successful,
        "total_input_bytes": input_bytes,
        "total_output_bytes": output_bytes,
        "overall_reduction": ratio(output_bytes, input_bytes),
        "results": results,
    }))
}

wasmmcp::server! {
    name: "image-resize",
    tools: [
        get_image_info,
        resize_image,
        scan_directory,
        compute_image_hash,
        compare_hashes,
        batch_resize,
    ],
}
