declare module "virtual:shell" {
  /** The files of the app as it was built; filled in by sw/vite-shell.ts. */
  export const shell: {
    /** Changes whenever a file does. */
    version: string;
    /** Absolute paths. */
    files: string[];
  };
}
