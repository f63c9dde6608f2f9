BEGIN TRANSACTION;
CREATE TABLE "alerts" (run VARCHAR(16) NOT NULL, place INTEGER NOT NULL, parameter INTEGER, name TEXT, since_step BIGINT NOT NULL, cause VARCHAR(32), detail TEXT, "where" TEXT, level VARCHAR(8) NOT NULL, PRIMARY KEY (run, place));
INSERT INTO "alerts" VALUES('2222222222222222',0,1,'a.bias',3,'detached','`a.bias` is cut off.',NULL,'alert');
CREATE TABLE commands (
	run VARCHAR(16) NOT NULL, 
	id BIGINT NOT NULL, 
	local BIGINT, 
	kind VARCHAR(16) NOT NULL, 
	target TEXT NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	hold_stats BOOLEAN NOT NULL, 
	reset_state BOOLEAN NOT NULL, 
	"by" TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	step BIGINT, 
	parameters JSON NOT NULL, 
	reason TEXT, 
	detail TEXT, 
	saved JSON, 
	requested FLOAT NOT NULL, 
	times JSON NOT NULL, 
	site TEXT, 
	"when" TEXT, 
	action VARCHAR(16), 
	factor FLOAT, 
	max_norm FLOAT, 
	hold BIGINT, 
	paused BOOLEAN, 
	gate BIGINT, 
	PRIMARY KEY (run, id), 
	UNIQUE (run, local)
);
INSERT INTO "commands" VALUES('2222222222222222',1,NULL,'freeze','a.*','grad',0,0,'browser','verified',3,'[0, 1]',NULL,'2 of 2 unchanged','{"backward_before": 0.0123, "backward_after": 0.0073, "steps": 20, "gradient_bytes": 64, "memory_before": null, "memory_after": null}',1.7954490275801737308e+09,'{"requested": 1795449027.5801737, "verified": 1795449027.5906992}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "commands" VALUES('2222222222222222',2,NULL,'thaw','a.bias','grad',0,0,'cli','requested',NULL,'[]',NULL,NULL,NULL,1.79544902779928493502e+09,'{"requested": 1795449027.799285}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "commands" VALUES('2222222222222222',3,1,'thaw','a.bias','grad',0,0,'python','applied',4,'[1]',NULL,NULL,NULL,1.79544902780846095087e+09,'{"requested": 1795449027.808461, "applied": 1795449027.808461}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE explained (run VARCHAR(16) NOT NULL, step BIGINT NOT NULL, seconds FLOAT NOT NULL, ratio FLOAT, command BIGINT, total BIGINT NOT NULL, time FLOAT NOT NULL, PRIMARY KEY (run));
CREATE TABLE explanations (run VARCHAR(16) NOT NULL, place INTEGER NOT NULL, parameter INTEGER, name TEXT NOT NULL, cause VARCHAR(32) NOT NULL, "where" TEXT, detail TEXT NOT NULL, advice TEXT NOT NULL, path JSON NOT NULL, source JSON, PRIMARY KEY (run, place));
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','6');
CREATE TABLE metrics (
	run VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	step BIGINT NOT NULL, 
	time FLOAT NOT NULL, 
	value FLOAT, 
	PRIMARY KEY (run, name, seq)
);
INSERT INTO "metrics" VALUES('2222222222222222','loss',5,4,1700000001.0,0.5);
CREATE TABLE parameters (
	run VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	names JSON NOT NULL, 
	module TEXT NOT NULL, 
	shape JSON NOT NULL, 
	numel BIGINT NOT NULL, 
	dtype TEXT NOT NULL, 
	device TEXT NOT NULL, 
	in_optimizer BOOLEAN NOT NULL, 
	requires_grad BOOLEAN NOT NULL, 
	removed BOOLEAN NOT NULL, 
	PRIMARY KEY (run, position)
);
INSERT INTO "parameters" VALUES('2222222222222222',0,'a.weight','["a.weight"]','a','[4, 2]',8,'float32','cpu',1,1,0);
INSERT INTO "parameters" VALUES('2222222222222222',1,'a.bias','["a.bias"]','a','[4, 2]',8,'float32','cpu',1,1,0);
CREATE TABLE runs (
	id VARCHAR(16) NOT NULL, 
	given_name TEXT NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created FLOAT NOT NULL, 
	started FLOAT NOT NULL, 
	last_seen FLOAT, 
	sample_time FLOAT, 
	sample_step BIGINT, 
	step BIGINT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	probe_version TEXT NOT NULL, 
	torch_version TEXT NOT NULL, 
	figures TEXT NOT NULL, 
	last_seq BIGINT NOT NULL, 
	sample_seq BIGINT NOT NULL, 
	frozen_seq BIGINT NOT NULL, 
	samples BIGINT NOT NULL, 
	steps_per_second FLOAT, 
	cost FLOAT, 
	every BIGINT, 
	dropped BIGINT NOT NULL, 
	faults BIGINT NOT NULL, 
	parameters INTEGER NOT NULL, 
	trainable INTEGER NOT NULL, 
	numel BIGINT NOT NULL, 
	removed INTEGER NOT NULL, 
	ranks BIGINT NOT NULL, 
	compiled BOOLEAN NOT NULL, 
	states JSON NOT NULL, 
	frozen JSON NOT NULL, 
	gates JSON NOT NULL, expect JSON NOT NULL DEFAULT '[]', alerts BIGINT NOT NULL DEFAULT 0, restraints JSON NOT NULL DEFAULT '{}', 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "runs" VALUES('2222222222222222','old','old','live',1.79544902756422019001e+09,1700000000.0,1.79544902780894851681e+09,1.79544902759226298336e+09,4,4,'node7',4711,'0.1.0','2.13.0','Gradients as the optimizer is about to apply them.',6,4,2,1,NULL,NULL,NULL,0,0,2,1,16,0,1,0,'{"present": 1, "frozen": 1}','[{"command": 1, "by": "browser", "mode": "grad", "since_step": 3, "parameters": [0], "hold_stats": false}]','[{"id": 1, "site": "output:a", "when": "norm > 10", "action": "block", "factor": null, "max_norm": null, "hold": 0, "paused": false, "by": "browser", "command": null, "since_step": 3, "closed": true, "steps": 40, "closed_steps": 8, "norm_in": 12.5, "norm_out": 0.0, "problem": null, "parameters": []}]','["a"]',1,'{}');
CREATE TABLE spans (
	run VARCHAR(16) NOT NULL, 
	level INTEGER NOT NULL, 
	first BIGINT NOT NULL, 
	samples INTEGER NOT NULL, 
	first_step BIGINT NOT NULL, 
	last_step BIGINT NOT NULL, 
	axis BLOB NOT NULL, 
	PRIMARY KEY (run, level, first)
);
INSERT INTO "spans" VALUES('2222222222222222',0,0,1,4,4,X'780163618080C2474F0D240EDE72640000194D0461');
CREATE TABLE tiles (
	run VARCHAR(16) NOT NULL, 
	level INTEGER NOT NULL, 
	statistic INTEGER NOT NULL, 
	block INTEGER NOT NULL, 
	first BIGINT NOT NULL, 
	width INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (run, level, statistic, block, first)
);
INSERT INTO "tiles" VALUES('2222222222222222',0,0,0,0,2,X'780163630400000F0008');
INSERT INTO "tiles" VALUES('2222222222222222',0,1,0,0,2,X'78016360606038C050EF000004460180');
INSERT INTO "tiles" VALUES('2222222222222222',0,2,0,0,2,X'78016360606038C050EF000004460180');
CREATE INDEX runs_by_given_name ON runs (given_name);
CREATE INDEX parameters_by_name ON parameters (run, name);
CREATE INDEX spans_by_last_step ON spans (run, level, last_step);
COMMIT;
