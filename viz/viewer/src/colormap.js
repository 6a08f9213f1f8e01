// Colours of temperature: a perceptual scale for air, ASHRAE bands for rack inlets.
//
// Air is painted with cmocean's thermal (Thyng et al. 2016), made for temperature: lightness rises evenly from
// navy to yellow, so equal steps look equal, it survives colour blindness and grey print, and neither end
// vanishes into a dark or a light page. Interpolated in CIELAB between the twelve stops that plotly also uses.

const THERMAL =
  "03233303243504243704253905253b05263d06263f06274107284307284508294808294a092a4c092a4e0a2b500a2b52" +
  "0a2c540b2d560b2d590c2e5b0c2e5d0c2f5f0d2f610d30640f306611306813316a15316d17316f1931711b31741d3176" +
  "1f327820327b22327d2432802532822732842832872a32892b328c2d328e2e329030329331329533329834329a36329b" +
  "39339b3b339b3d349b3f349b41359b42359a44369a46369a48379a4a379a4b389a4d389a4f399a50399a523a9a533a9a" +
  "553b9a563c99583c99593d995b3d995c3e995e3e995f3f986140986340986441976641976742966943966a43956b4495" +
  "6d45956e4594704694714793734793744892754992774992784a91794b917a4b907c4c907d4d8f7e4d8f804e8f814e8e" +
  "834f8e844f8e86508d87508d88518d8a518c8b528c8d528c8e538b8f538b91548a92548a93558a955589965689985689" +
  "9957889a57889b58889d59879e5987a05a86a15a86a35a85a45b85a65b84a85c83a95c83ab5d82ac5d82ae5e81af5e80" +
  "b15f80b25f7fb4607fb5607eb7617db8617dba627cbb627cbc627bbe637abf637ac16479c26478c46577c56676c76675" +
  "c86774c96773cb6872cc6871ce6970cf696fd06a6ed26b6dd36b6cd56c6bd66c6ad76d69d96d68da6e67db6f66dd6f65" +
  "de7063df7062e17161e27260e3735fe4745ee4755de5765ce6775be7795ae87a58e97b57ea7c56eb7d55ec7e54ed7f53" +
  "ee8051ef8250ef834ff0844ef1854cf2864bf3874af48848f58947f68a46f68c45f68d45f78f44f79044f79244f79343" +
  "f89543f89642f89842f89942f89b41f99c41f99e41f99f40f9a140faa23ffaa33ffaa53ffaa63efaa83efba93dfbab3d" +
  "fbac3cfbae3cfbaf3dfbb13dfbb33dfab43efab63efab83ffab93ffabb40f9bd40f9be40f9c041f9c141f9c342f8c542" +
  "f8c643f8c843f8ca43f7cb44f7cd44f7ce45f7d045f6d246f6d346f5d547f5d748f4d849f4da4af3dc4af3de4bf2df4c" +
  "f1e14df1e34ef0e44ff0e650efe850eee951eeeb52eded53ecee54ecf055ebf256eaf357e9f557e9f758e8f859e7fa5a";

export const COLOURS = Uint8Array.from(THERMAL.match(/../g), (pair) => parseInt(pair, 16));

/** RGBA bytes of the scale, for a texture of 256 x 1. */
export function colourTable() {
  const table = new Uint8Array(256 * 4).fill(255);
  for (let i = 0; i < 256; i += 1) table.set(COLOURS.subarray(3 * i, 3 * i + 3), 4 * i);
  return table;
}

/** CSS gradient of the scale, cold end first. */
export function cssGradient(direction = "to right") {
  const stops = [];
  for (let i = 0; i <= 16; i += 1) {
    const at = 3 * Math.round((i * 255) / 16);
    stops.push(`rgb(${COLOURS[at]} ${COLOURS[at + 1]} ${COLOURS[at + 2]})`);
  }
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}

/**
 * ASHRAE band of an inlet temperature [degC] as the twin names it: below, recommended, allowable (on either side of
 * it) or over. `limits` are the class's: allowable low, recommended low, recommended high, allowable high.
 */
export function bandOf(temperature, limits) {
  if (!Number.isFinite(temperature)) return "unknown";
  if (temperature < limits[0]) return "below";
  if (temperature > limits[3]) return "over";
  return temperature >= limits[1] && temperature <= limits[2] ? "recommended" : "allowable";
}

/** Band of a rack's hottest inlet: the twin's word, else by the limits of its class, else by the page's. */
export function rackBand(rack, limits) {
  return rack.band ?? bandOf(rack.inlet_max_c, rack.limits_c ?? limits);
}
