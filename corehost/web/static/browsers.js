/* Names a browser and its system by what it says of itself, as far as people need it to know their sessions apart. */
export function browserOf(agent) {
  const name = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([word]) => agent.includes(word));
  const system = [["Windows", "Windows"], ["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Mac OS", "macOS"], ["Linux", "Linux"]].find(([word]) => agent.includes(word));
  return `${name ? name[1] : "A browser"}${system ? ` on ${system[1]}` : ""}`;
}
