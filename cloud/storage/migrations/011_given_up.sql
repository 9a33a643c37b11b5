-- What gateways told that they had to give up is looked for by epoch, each time that losses are looked at.
CREATE INDEX event_given_up ON event ((data ->> 'epoch')) WHERE kind = 'outbox.lost';
