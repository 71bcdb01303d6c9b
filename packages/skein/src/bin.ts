#!/usr/bin/env node
/**
 * The command `skein`: here, because `npx skein` looks for it in the package of that name.
 */
import "@skein/cli/main"
