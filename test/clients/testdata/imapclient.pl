# Works in bob's box with Mail::IMAPClient; arguments are the port, the file of
# authorities and the way in: ssl or starttls.
use strict;
use warnings;
use Mail::IMAPClient;

my ($port, $ca, $way) = @ARGV;
my @tls = (SSL_ca_file => $ca, SSL_verifycn_name => 'localhost', SSL_verify_mode => 1);

sub client {
	my $c = Mail::IMAPClient->new(
		Server => 'localhost', Port => $port, User => 'bob@example.test', Password => 'secret', Uid => 1, Timeout => 30,
		($way eq 'ssl' ? (Ssl => [@tls]) : (Starttls => [@tls])),
	) or die "login: $@\n";
	return $c;
}

sub want {
	my ($what, $got, $want) = @_;
	$got = '(nothing)' unless defined $got;
	die "$what: got $got, want $want\n" unless $got eq $want;
}

my $c = client();
sub must { my ($what, $result) = @_; die "$what: " . $c->LastError . "\n" unless defined $result; return $result }
my $n = 0;
sub text { $n++; "From: Bob <bob\@example.test>\r\nSubject: $_[0]\r\nMessage-ID: <perl-$n\@example.test>\r\n\r\nText of $_[0].\r\n" }

must('create', $c->create($_)) for 'Projects', 'Projects.Gr&APwA3w-e';
must('subscribe', $c->subscribe('Projects'));
want('exists', $c->exists('Projects') ? 'yes' : 'no', 'yes');
my @uids = map { must("append $_", $c->append('Projects', text($_))) } qw(alpha beta gamma);
must('append with flags and date', $c->append_string('Projects', text('delta'), '\Flagged $Work', '01-Oct-2026 10:00:00 +0200'));
must('select', $c->select('Projects'));
want('messages', $c->message_count, 4);
want('search', join(' ', $c->search('SUBJECT', $c->Quote('beta'))), $uids[1]);
want('flagged', scalar(@{[$c->search('FLAGGED')]}), 1);
want('keyword', scalar(@{[$c->search('KEYWORD $Work')]}), 1);
want('before', scalar(@{[$c->search('BEFORE 02-Oct-2026')]}), 1);
want('body', $c->body_string($uids[0]), "Text of alpha.\r\n");
want('message', $c->message_string($uids[2]), text('gamma') =~ s/perl-\d+/perl-3/r);
want('subject', $c->subject($uids[1]), 'beta');
want('envelope', $c->get_envelope($uids[1])->subject, 'beta');
want('structure', $c->get_bodystructure($uids[1])->bodytype, 'TEXT');
must('see', $c->see($uids[0]));
want('unseen', join(' ', $c->unseen), join(' ', $uids[1], $c->search('KEYWORD $Work'))); # to read gamma was to see it
must('store', $c->store($uids[1], '+FLAGS', '(\Answered)'));
want('flags', join(' ', sort grep { !/Recent/ } $c->flags($uids[1])), '\Answered');
must('copy', $c->copy('Projects.Gr&APwA3w-e', $uids[1]));
must('move', $c->move('Projects.Gr&APwA3w-e', $uids[2]));
must('expunge', $c->expunge);
want('left', $c->message_count, 3);
want('status', $c->message_count('Projects.Gr&APwA3w-e'), 2);
must('rename', $c->rename('Projects', 'Archive'));
want('folders', join(' ', sort grep { !/INBOX/ } $c->folders), 'Archive Archive.Gr&APwA3w-e');
must('delete', $c->delete('Archive.Gr&APwA3w-e'));
want('children', join(' ', grep { /Archive\./ } $c->folders), '');

# Another session's message is told while this one idles.
must('inbox', $c->select('INBOX'));
my $idle = must('idle', $c->idle);
my $other = client();
$other->append('INBOX', text('news')) or die "append beside idle: " . $other->LastError . "\n";
$other->logout;
my $seen = '';
for (1 .. 60) {
	my $lines = $c->idle_data(1) or next;
	$seen .= join '', @$lines;
	last if $seen =~ /1 EXISTS/;
}
die "idle: got $seen, want 1 EXISTS\n" unless $seen =~ /1 EXISTS/;
must('done', $c->done($idle));
want('news', $c->subject(($c->messages)[0]), 'news');
must('delete message', $c->delete_message($c->messages));
must('close', $c->close);
must('logout', $c->logout);
print "all good\n";
