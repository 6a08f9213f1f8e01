// Bundles the viewer: node build.mjs. The banner names the hash of what it was built from; a test compares.
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const here = new URL(".", import.meta.url).pathname;
const assets = `${here}../assets/`;
const sources = ["build.mjs", "package.json", "package-lock.json"].concat(
  readdirSync(`${here}src`).sort().map((name) => `src/${name}`),
);
const hash = createHash("sha256");
for (const name of sources) hash.update(`${name}\0`).update(readFileSync(here + name)).update("\0");

await build({
  entryPoints: [`${here}src/main.js`],
  outfile: `${assets}viewer.js`,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2021",
  legalComments: "none",
  banner: { js: `/* Racklet Twin viewer; with three.js (MIT), see viz/viewer/THIRD_PARTY.txt. sources-sha256: ${hash.digest("hex")} */` },
});
copyFileSync(
  `${here}node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2`,
  `${assets}inter.woff2`,
);
const licences = [
  ["three.js 0.187.0 (in viz/assets/viewer.js)", "three/LICENSE"],
  ["cmocean's colour scale 'thermal' (in viz/assets/viewer.js)", "../cmocean-LICENSE.txt"],
  ["Inter, latin subset (viz/assets/inter.woff2)", "@fontsource-variable/inter/LICENSE"],
];
writeFileSync(
  `${here}THIRD_PARTY.txt`,
  "Third-party works that travel with this package, each under its own licence.\n" +
    licences.map(([what, file]) => `\n${"=".repeat(78)}\n${what}\n${"=".repeat(78)}\n${readFileSync(`${here}node_modules/${file}`, "utf8")}`).join(""),
);
