//! Reading on which terms a group launches.

use std::time::Duration;

use jibri_scaler_core::port::{PortError, PortErrorKind};

use super::{LaunchedFrom, Market};
use crate::{
    call::Deadline,
    failure::Failure,
    inspect::{GroupSetup, Inspector, section},
};

impl Inspector {
    /// Fills in the terms of what the group launches from, and of its instances, those in the warm pool included.
    pub(in crate::inspect) async fn markets(&self, setup: &mut GroupSetup) {
        let deadline = Deadline::after(self.timeout);
        let parts = setup.launch_sources.len();
        for (index, source) in setup.launch_sources.iter_mut().enumerate() {
            // One that hangs leaves the others their time.
            let share = deadline.share(parts - index);
            let left = share.remaining().unwrap_or_default();
            let read = match &source.from {
                LaunchedFrom::Configuration { name } => {
                    let operation = self.of_group(&source.from.to_string());
                    self.configuration_market(name, operation, left).await
                }
                #[cfg(feature = "ec2")]
                LaunchedFrom::Template { id, name, version } => {
                    let operation = self.of_group(&source.from.to_string());
                    let template = (id.as_deref(), name.as_deref());
                    self.template_market(template, version, operation, left)
                        .await
                }
                #[cfg(not(feature = "ec2"))]
                LaunchedFrom::Template { .. } => continue,
            };
            source.market = section::of(read);
        }
        #[cfg(feature = "ec2")]
        self.instance_markets(setup).await;
    }

    async fn configuration_market(
        &self,
        name: &str,
        operation: String,
        left: Duration,
    ) -> Result<Market, PortError> {
        let answer = self
            .autoscaling
            .describe_launch_configurations()
            .launch_configuration_names(name)
            .customize()
            .config_override(self.autoscaling_override(left))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let failure = Failure::new("autoscaling:DescribeLaunchConfigurations", error);
                return Err(failure.during(operation));
            }
        };
        let mut rows = answer.launch_configurations().iter();
        let row = rows.find(|row| row.launch_configuration_name() == Some(name));
        match row {
            Some(row) if row.spot_price().is_some_and(|price| !price.is_empty()) => {
                Ok(Market::Spot)
            }
            Some(_) => Ok(Market::OnDemand),
            None => Err(PortError::new(PortErrorKind::Permanent, operation)
                .with_source("there is none of this name, so that the group launches nothing")),
        }
    }
}
