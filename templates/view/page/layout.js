// Where boxes are and how edges run, as geometry.py and tracks.py say. Knows no elements.

function sizeOf(box) {
  if (!box.extent) {
    box.extent = isOpen(box)
      ? openSize(box)
      : { left: box.size[0] / 2, right: box.size[0] / 2, height: box.size[1] };
  }
  return box.extent;
}

function meets(box, [number, places, port]) {
  if (port >= 0 && isOpen(box)) return box.plan.axes[box.cells[port][1]] - box.plan.axis;
  const { left, right } = sizeOf(box);
  return ((left + right) * (number + 1)) / (places + 1) - left;
}

function openSize(box) {
  const sizes = box.items.map((item) => ({ ...sizeOf(item) }));
  if (box.outs > 1) {
    for (const size of sizes.slice(-box.outs)) size.right = Math.max(size.right, S.place - S.apart);
  }
  const plan = (box.plan = planOf(box, sizes));
  if (!box.parent) return { left: plan.axis, right: plan.width - plan.axis, height: plan.height };
  const left = plan.axis + S.padding;
  const right = Math.max(plan.width - plan.axis + S.padding, data.wide - left);
  return { left, right, height: plan.height + S.header + (box.outs ? -S.port / 2 : S.padding) };
}

function planOf(box, sizes) {
  const heights = new Array(box.rows).fill(0);
  const lefts = new Array(box.columns).fill(S.lane / 2);
  const rights = lefts.slice();
  const byspan = box.cells.map((cell, i) => [cell, sizes[i]]).sort((a, b) => a[0][2] - b[0][2]);
  for (const [[row, column, span], size] of byspan) {
    heights[row] = Math.max(heights[row], size.height);
    for (const [sides, way, needed] of [
      [lefts, -1, size.left],
      [rights, 1, size.right],
    ]) {
      const half = Math.floor(span / 2);
      const others = [];
      for (let i = 1; i <= half; i++) others.push(column + way * i);
      const has = others.reduce((sum, c) => sum + lefts[c] + rights[c] + S.apart, sides[column]);
      for (const wider of half ? others : [column]) {
        sides[wider] += Math.max(0, needed - has) / Math.max(1, half);
      }
    }
  }
  const axes = [];
  let x = 0;
  lefts.forEach((left, i) => {
    axes.push(x + left);
    x += left + rights[i] + S.apart;
  });
  const plan = { heights, axes, axis: axes[box.axis], width: x - S.apart };
  box.plan = plan;
  const gaps = heights.map(() => new Map());
  const firsts = heights.map(() => 0);
  const add = (row, start, stop, key) => {
    if (Math.abs(start - stop) <= 0.1) return;
    if (!gaps[row].has(key)) gaps[row].set(key, { key, start, stops: [] });
    gaps[row].get(key).stops.push(stop);
  };
  plan.ends = box.edges.map(([tail, head, value, leaves, enters, lane, side, , shown], i) => {
    const start = axes[box.cells[tail][1]] + meets(box.items[tail], leaves);
    const stop = axes[box.cells[head][1]] + meets(box.items[head], enters);
    const along = lane === null ? stop : axes[lane];
    add(box.cells[tail][0], start, along, `out ${tail} ${value}`);
    if (!side) add(box.cells[head][0] - 1, along, stop, `in ${i}`);
    if (shown) firsts[box.cells[tail][0]] = S.labelled;
    return [start, along, stop];
  });
  plan.tops = [];
  plan.tracks = [];
  let y = 0;
  gaps.forEach((gap, row) => {
    plan.tops.push(y);
    const tracks = assign([...gap.values()]);
    const number = Math.max(-1, ...tracks.values()) + 1;
    plan.tracks.push(
      new Map(
        [...tracks].map(([key, track]) => [
          key,
          y + heights[row] + firsts[row] + (track + 0.5) * S.track,
        ]),
      ),
    );
    plan.height = y + heights[row];
    y += heights[row] + firsts[row] + number * S.track + S.arrow;
  });
  return plan;
}

// Tracks of one gap, as tracks.py says
function assign(pieces) {
  const goesRight = (p) => p.stops.reduce((sum, stop) => sum + stop - p.start, 0) > 0;
  const waiting = pieces.sort(
    (a, b) => goesRight(a) - goesRight(b) || (goesRight(a) ? b.start - a.start : a.start - b.start),
  );
  const tracks = [];
  const found = new Map();
  const under = (piece) =>
    waiting.some(
      (other) => other !== piece && piece.stops.some((stop) => Math.abs(other.start - stop) < 0.1),
    );
  while (waiting.length) {
    const piece = waiting.find((p) => !under(p)) || waiting[0];
    waiting.splice(waiting.indexOf(piece), 1);
    const low = Math.min(piece.start, ...piece.stops);
    const high = Math.max(piece.start, ...piece.stops);
    let number = tracks.length;
    while (
      number &&
      !tracks[number - 1].some(
        ([start, end]) => low <= end + S.trackApart && start - S.trackApart <= high,
      )
    )
      number--;
    (tracks[number] ||= []).push([low, high]);
    found.set(piece.key, number);
  }
  return found;
}

function rounded(points) {
  const apart = (a, b) => Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]);
  const corners = [];
  for (const point of points) {
    const last = corners[corners.length - 1];
    const before = corners[corners.length - 2];
    if (last && apart(point, last) < 0.05) continue;
    if (before && [0, 1].some((i) => before[i] === last[i] && last[i] === point[i])) corners.pop();
    corners.push(point);
  }
  const toward = (a, b, far) => [0, 1].map((i) => a[i] + ((b[i] - a[i]) * far) / apart(a, b));
  let path = `M${corners[0].join(" ")}`;
  for (let i = 1; i + 1 < corners.length; i++) {
    const [before, corner, after] = corners.slice(i - 1, i + 2);
    const radius = Math.min(S.round, apart(before, corner) / 2, apart(corner, after) / 2);
    path +=
      `L${toward(corner, before, radius).join(" ")}` +
      `Q${corner.join(" ")} ${toward(corner, after, radius).join(" ")}`;
  }
  return `${path}L${corners[corners.length - 1].join(" ")}`;
}
