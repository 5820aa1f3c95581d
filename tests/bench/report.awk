# tests/bench/report.awk - the table of ./bench cpu.
#
# First file: a row a line, "NAME CPUS GROUP...".  Second: samples, "WHO ROW
# CHECKSUM NS HOST_NS"; WHO is native, husk or qemu.  Times become medians, a
# group's ratio is the geometric mean of its rows'.  Exits 1 if a checksum
# differs from the native one or a row is missing.  Variables: `runs`, and
# `machines`, who took part ("native husk qemu").

BEGIN {
	n = split(machines, list)
	for (i = 1; i <= n; i++)
		present[list[i]] = 1
}

NR == FNR {
	rows[++nrows] = $1
	for (i = 3; i <= NF; i++)
		groups[$1] = groups[$1] " " $i " "
	next
}

$3 == "unsupported" {
	unsupported[$1, $2] = 1
	next
}

{
	key = $1 SUBSEP $2
	sample[key, ++count[key]] = $4
	checksums[key] = checksums[key] " " $3
	off = $5 > $4 ? $5 - $4 : $4 - $5
	if ($5 > 0 && off > 0.1 * $4 && off > 30e6)	# lines take time too
		doubt[++doubts] = sprintf("%s %s: %.0f ms by its own clock, " \
			"%.0f ms by the host's", $1, $2, $4 / 1e6, $5 / 1e6)
}

function median(key,	n, i, j, t, v) {
	n = count[key]
	for (i = 1; i <= n; i++) {
		t = sample[key, i]
		for (j = i - 1; j > 0 && v[j] > t; j--)
			v[j + 1] = v[j]
		v[j + 1] = t
	}
	smallest = v[1]
	largest = v[n]
	return n ? (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2 : 0
}

function complain(text) {
	print "FAILED: " text
	failed = 1
}

# Complains unless every checksum of row under who is the first native one.
function check(who, row,	n, i, sum, want) {
	if ((who, row) in unsupported) {
		if (!(("native", row) in unsupported))
			complain(row ": " who " lacks what the host has")
		return
	}
	if (count[who, row] < runs) {
		complain(row " did not finish under " who)
		return
	}
	split(checksums["native", row], want)
	n = split(checksums[who, row], sum)
	for (i = 1; i <= n; i++)
		if (sum[i] != want[1]) {
			complain(row ": " who " says " sum[i] ", native " want[1])
			return
		}
}

function ratio(a, b) {
	return a && b ? sprintf("%11.2f", a / b) : sprintf("%11s", "-")
}

function line(name, first, h, q, n) {
	printf "%-22s %11s%s%s%s\n", name, first, ratio(h, n), ratio(q, n),
		ratio(q, h)
}

# The geometric means of a group's rows that all had.
function group_line(name, word,	i, r, n, h, q, used) {
	for (i = 1; i <= nrows; i++) {
		r = rows[i]
		if ((word && !index(groups[r], " " word " ")) || !time["native", r])
			continue
		if ((("husk" in present) && !time["husk", r]) ||
		    (("qemu" in present) && !time["qemu", r]))
			continue
		used++
		n += log(time["native", r])
		h += log(time["husk", r] + !time["husk", r])
		q += log(time["qemu", r] + !time["qemu", r])
	}
	if (used)
		line(name, used " rows", ("husk" in present) ? exp(h / used) : 0,
		     ("qemu" in present) ? exp(q / used) : 0, exp(n / used))
}

END {
	print ""
	printf "%-22s %11s%11s%11s%11s\n", "", "native ms", "husk/nat",
		"qemu/nat", "qemu/husk"
	for (i = 1; i <= nrows; i++) {
		r = rows[i]
		for (who in present)
			time[who, r] = median(who SUBSEP r)
		if (median("native" SUBSEP r) && largest > 1.2 * smallest)
			noisy = noisy " " r
		line(r, sprintf("%.1f", time["native", r] / 1e6),
		     time["husk", r], time["qemu", r], time["native", r])
	}
	print "geometric means"
	group_line("  all", "")
	group_line("  compute", "compute")
	group_line("  float and AES", "float")
	group_line("  calls", "calls")
	group_line("  system", "system")
	group_line("  smp", "smp")
	h = median("husk" SUBSEP "off")
	q = median("qemu" SUBSEP "off")
	if (h)
		printf "boot to power-off, husk %9.2f s\n", h / 1e9
	if (q)
		printf "boot to power-off, qemu %9.2f s\n", q / 1e9
	if (h && q)
		printf "boot to power-off, qemu/husk %4.2f\n", q / h
	if (noisy)
		print "native times differed by over 20 % from run to run:" noisy
	for (i = 1; i <= doubts; i++)
		print "clocks disagree: " doubt[i]
	for (i = 1; i <= nrows; i++)
		for (who in present)
			check(who, rows[i])
	for (who in present)
		if (who != "native" && count[who, "off"] < runs)
			complain(who " did not power off")
	exit failed
}
