//! The names of the directories that the host preopened.

/// The names, in the order of their descriptors.
#[cfg(target_os = "wasi")]
pub fn names() -> Vec<String> {
    #[repr(C)]
    struct Prestat {
        tag: u8,
        name_len: usize,
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        fn fd_prestat_get(fd: u32, prestat: *mut Prestat) -> u16;
        fn fd_prestat_dir_name(fd: u32, name: *mut u8, len: usize) -> u16;
    }

    // Descriptors 0 to 2 are the standard streams; preopens follow without a gap.
    let mut names = Vec::new();
    for fd in 3.. {
        let mut prestat = Prestat {
            tag: 0,
            name_len: 0,
        };
        // SAFETY: the host fills a struct of the layout that WASI gives it.
        if unsafe { fd_prestat_get(fd, &mut prestat) } != 0 {
            break;
        }
        let mut name = vec![0; prestat.name_len];
        // SAFETY: the host writes at most `name.len()` bytes.
        let done = unsafe { fd_prestat_dir_name(fd, name.as_mut_ptr(), name.len()) } == 0;
        if prestat.tag == 0 && done {
            names.push(String::from_utf8_lossy(&name).into_owned());
        }
    }
    names
}

/// Native builds exist for tests, which name their own directories.
#[cfg(not(target_os = "wasi"))]
pub fn names() -> Vec<String> {
    Vec::new()
}
