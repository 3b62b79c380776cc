// `npm pack`: what goes into the package is built of the sources as they are.
import { build, checkNode, installPackages } from './setup.mjs';

checkNode();
await installPackages();
await build();
