// The options of Brotli for WebAssembly, shared by the build of the PWA and by the checks of the size.

import { constants } from "node:zlib";

/**
 * Returns the options for a module of this size. Direct codes for short distances make the core 1.7 KB smaller: WebAssembly repeats
 * itself at all distances, text at those of whole words.
 */
export function wasmOptions(bytes) {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
      [constants.BROTLI_PARAM_NPOSTFIX]: 1,
      [constants.BROTLI_PARAM_NDIRECT]: 12,
    },
  };
}
