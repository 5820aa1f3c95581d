/* dev/pc/i8042.c - the keyboard controller, with a keyboard nobody types on.
 *
 * Ports 60h (data) and 64h (status, command).  The controller answers its own
 * commands, opens and closes the A20 gate and resets the machine.  The
 * keyboard acknowledges what drivers send while they look for one, and sends
 * no key.  There is no auxiliary port: its tests fail at once, so that drivers
 * do not wait for a mouse.
 *
 * Status, read at 64h:
 *   7    6    5    4      3     2     1     0
 *  [PE | TO | AUX| INH |  CMD | SYS | IBF | OBF]   IBF is never seen set
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller"; keyboard commands from its "Keyboards" part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"

#define STATUS_OBF	0x01	/* a byte waits at 60h */
#define STATUS_SYS	0x04
#define STATUS_CMD	0x08	/* the last write went to 64h */
#define STATUS_UNLOCKED	0x10

#define MODE_KBD_INT	0x01
#define MODE_SYS	0x04
#define MODE_KBD_OFF	0x10
#define MODE_TRANSLATE	0x40

#define OUT_NOT_RESET	0x01
#define OUT_A20		0x02
#define OUT_OBF		0x10

#define KBD_ACK		0xfa
#define KBD_RESEND	0xfe

#define QUEUE_LEN	16

struct i8042 {
	struct device dev;
	struct window data, command;
	struct irq irq;			/* derived by update_irq() */

	uint8_t queue[QUEUE_LEN];	/* for the guest; queue[0] is next */
	uint8_t count, last;
	uint8_t mode;			/* the "command byte" */
	uint8_t ram[32];		/* commands 20h-3Fh, 60h-7Fh; [0] unused */
	uint8_t outport;		/* without OUT_A20 and OUT_OBF */
	uint8_t pending;		/* controller command that wants a byte */
	uint8_t kbd_pending;		/* keyboard command likewise */
	bool last_was_command;
};

/* ---- towards the guest ---- */

static void update_irq(struct i8042 *k)
{
	irq_set(&k->irq, k->count && (k->mode & MODE_KBD_INT));
}

static void queue(struct i8042 *k, uint8_t v)
{
	if (k->count < QUEUE_LEN)
		k->queue[k->count++] = v;
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
	struct i8042 *k = dev;

	if (!k->count)
		return k->last;
	k->last = k->queue[0];
	memmove(k->queue, k->queue + 1, --k->count);
	/* The line drops between two bytes: each is an edge of its own. */
	irq_set(&k->irq, false);
	update_irq(k);
	return k->last;
}

static uint64_t status_read(void *dev, uint64_t off, unsigned size)
{
	const struct i8042 *k = dev;

	return STATUS_UNLOCKED | (k->mode & MODE_SYS ? STATUS_SYS : 0) |
	       (k->last_was_command ? STATUS_CMD : 0) |
	       (k->count ? STATUS_OBF : 0);
}

/* ---- the keyboard ---- */

static void keyboard_command(struct i8042 *k, uint8_t v)
{
	switch (v) {
	case 0xed: case 0xf0: case 0xf3: case 0xfb: case 0xfc: case 0xfd:
		k->kbd_pending = v;	/* LEDs, code set, rate, key types */
		queue(k, KBD_ACK);
		break;
	case 0xee:			/* echo */
		queue(k, 0xee);
		break;
	case 0xf2:			/* identify */
		queue(k, KBD_ACK);
		queue(k, 0xab);
		queue(k, k->mode & MODE_TRANSLATE ? 0x41 : 0x83);
		break;
	case 0xf4: case 0xf5: case 0xf6: case 0xf7: case 0xf8: case 0xf9:
	case 0xfa:			/* enable, disable, defaults */
		queue(k, KBD_ACK);
		break;
	case 0xff:			/* reset and self test */
		queue(k, KBD_ACK);
		queue(k, 0xaa);
		break;
	default:
		queue(k, KBD_RESEND);
	}
}

static void keyboard_write(struct i8042 *k, uint8_t v)
{
	uint8_t command = k->kbd_pending;

	k->mode &= (uint8_t)~MODE_KBD_OFF;	/* sending switches it on */
	k->kbd_pending = 0;
	if (!command || v >= 0xed) {
		keyboard_command(k, v);
		return;
	}
	queue(k, KBD_ACK);
	if (command == 0xf0 && v == 0)
		queue(k, k->mode & MODE_TRANSLATE ? 0x41 : 0x02);
}

/* ---- the controller ---- */

static uint8_t read_outport(const struct i8042 *k)
{
	bool open = bus_a20_mask(k->dev.bus) >> 20 & 1;

	return k->outport | (open ? OUT_A20 : 0) | (k->count ? OUT_OBF : 0);
}

static void write_outport(struct i8042 *k, uint8_t v)
{
	k->outport = v & (uint8_t)~(OUT_A20 | OUT_OBF);
	bus_set_a20(k->dev.bus, v & OUT_A20);
	if (!(v & OUT_NOT_RESET))
		bus_request_power(k->dev.bus, POWER_RESET, 0);
}

static void finish_command(struct i8042 *k, uint8_t v)
{
	uint8_t command = k->pending;

	k->pending = 0;
	if (command == 0x60)
		k->mode = v;
	else if (command > 0x60 && command < 0x80)
		k->ram[command - 0x60] = v;
	else if (command == 0xd1)
		write_outport(k, v);
	else if (command == 0xd2 || command == 0xd3)
		queue(k, v);	/* without an aux port D3h comes back here */
	/* D4h: nobody is on the auxiliary port */
}

static void data_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8042 *k = dev;

	k->last_was_command = false;
	if (k->pending)
		finish_command(k, (uint8_t)val);
	else
		keyboard_write(k, (uint8_t)val);
	update_irq(k);
}

static void start_command(struct i8042 *k, uint8_t v)
{
	switch (v) {
	case 0x20:	queue(k, k->mode); break;
	case 0x60: case 0xd1: case 0xd2: case 0xd3: case 0xd4:
			k->pending = v; break;
	case 0xa9:	queue(k, 0x01); break;	/* aux clock line stuck low */
	case 0xaa:	k->count = 0;
			queue(k, 0x55);		/* self test passed */
			k->mode |= MODE_SYS;
			break;
	case 0xab:	queue(k, 0x00); break;	/* keyboard lines are fine */
	case 0xad:	k->mode |= MODE_KBD_OFF; break;
	case 0xae:	k->mode &= (uint8_t)~MODE_KBD_OFF; break;
	case 0xc0:	queue(k, 0x80); break;	/* not locked */
	case 0xd0:	queue(k, read_outport(k)); break;
	default:
		if (v > 0x20 && v < 0x40)
			queue(k, k->ram[v - 0x20]);
		else if (v > 0x60 && v < 0x80)
			k->pending = v;
		else if (v >= 0xf0 && !(v & OUT_NOT_RESET))
			bus_request_power(k->dev.bus, POWER_RESET, 0);
	}
}

static void command_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8042 *k = dev;

	k->last_was_command = true;
	k->pending = 0;
	start_command(k, (uint8_t)val);
	update_irq(k);
}

static const struct io_ops data_io = {
	.min_size = 1, .max_size = 1, .read = data_read, .write = data_write,
};
static const struct io_ops command_io = {
	.min_size = 1, .max_size = 1,
	.read = status_read, .write = command_write,
};

static int i8042_attach(struct device *d, struct err *e)
{
	struct i8042 *k = container_of(d, struct i8042, dev);
	int r;

	irq_connect(&k->irq, bus_isa_irq(d->bus, 1));
	k->data = (struct window){
		.name = "i8042-data", .ops = &data_io, .dev = k,
	};
	k->command = (struct window){
		.name = "i8042-command", .ops = &command_io, .dev = k,
	};
	r = bus_map_ports(d->bus, &k->data, 0x60, 1, e);
	return r < 0 ? r : bus_map_ports(d->bus, &k->command, 0x64, 1, e);
}

static void i8042_reset(struct device *d)
{
	struct i8042 *k = container_of(d, struct i8042, dev);

	k->count = k->last = k->pending = k->kbd_pending = 0;
	k->last_was_command = false;
	memset(k->ram, 0, sizeof(k->ram));
	/* As firmware leaves it: keyboard on, translating, interrupting. */
	k->mode = MODE_KBD_INT | MODE_SYS | MODE_TRANSLATE;
	k->outport = 0xcd;
	update_irq(k);
}

static void i8042_detach(struct device *d)
{
	struct i8042 *k = container_of(d, struct i8042, dev);

	bus_unmap_ports(d->bus, &k->data);
	bus_unmap_ports(d->bus, &k->command);
}

static const struct field i8042_state[] = {
	FIELD(struct i8042, queue), FIELD(struct i8042, count),
	FIELD(struct i8042, last), FIELD(struct i8042, mode),
	FIELD(struct i8042, ram), FIELD(struct i8042, outport),
	FIELD(struct i8042, pending), FIELD(struct i8042, kbd_pending),
	FIELD(struct i8042, last_was_command),
	{ .name = NULL },
};

const struct device_class i8042_class = {
	.name = "i8042",
	.category = DEVICE_INPUT,
	.bus = BUS_ISA,
	.size = sizeof(struct i8042),
	.state = i8042_state,
	.attach = i8042_attach,
	.reset = i8042_reset,
	.detach = i8042_detach,
};
